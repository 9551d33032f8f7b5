/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Work of several steps: what runs, what is taken back when one fails or the operation is
 * cancelled, and what the operation shows of it.
 */
#include "tests/unit/core/operation_fixture.h"

#include "server/core/operation_internal.h"
#include "server/core/router.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

static const struct vg_route table[] = {
    {VG_POST, "/domains/{domain}/save", "saveDomain", no_handler,
     .needs = "gateway:document", .runs_on = VG_ON_LONG},
    {0},
};
static const struct vg_route *const tables[] = {table, NULL};

/* What was called, "+a" and "-a"; and what is to go wrong. */
struct work {
    char done[64];
    const char *fails, *keeps; /* "+b", "-a" */
    const char *cancel_in;
};

static void add_done(struct work *w, const char *what)
{
    size_t n = strlen(w->done);
    snprintf(w->done + n, sizeof(w->done) - n, "%s", what);
}

static int note(struct work *w, const char *what)
{
    add_done(w, what);
    return w->fails && strcmp(w->fails, what) == 0 ? -1 : 0;
}

static int run_step(struct vg_request *rq, struct work *w, const char *what)
{
    if (w->cancel_in && strcmp(w->cancel_in, what) == 0) {
        assert_false(vg_operation_is_cancelled(rq));
        assert_true(vg_operation_stop(rq->operation));
        assert_true(vg_operation_is_cancelled(rq));
    }
    if (note(w, what) == 0)
        return 0;
    vg_error_set(&rq->error, VG_E_CONFLICT, "%s fails", what);
    return -1;
}

static int undo_step(struct work *w, const char *what)
{
    add_done(w, what);
    if (!w->keeps || strcmp(w->keeps, what) != 0)
        return 0;
    assert_null(virDomainLookupByName(NULL, "x")); /* libvirt's last error */
    return -1;
}

#define STEP(name)                                                                       \
    static int run_##name(struct vg_request *rq, void *data)                             \
    {                                                                                    \
        return run_step(rq, data, "+" #name);                                            \
    }                                                                                    \
    static int undo_##name(void *data)                                                   \
    {                                                                                    \
        return undo_step(data, "-" #name);                                               \
    }
STEP(a)
STEP(b)
STEP(c)

static const struct vg_step steps[] = {
    {"a", run_a, undo_a}, {"b", run_b, NULL}, {"c", run_c, undo_c}};

static struct vg_request *begin(struct client *client)
{
    *client = (struct client){0};
    struct vg_request *rq = make_request(&table[0], "/domains/web1/save", client, NULL);
    rq->rights = vg_rights_of_role(VG_ROLE_ADMIN);
    assert_int_equal(vg_operation_new(rq, LATER), 0);
    assert_int_equal(vg_operation_note_begun(rq, NULL, NULL, -1), 0);
    return rq;
}

static void end(struct vg_request *rq, bool fine)
{
    (void)undo_b;
    vg_request_answer(rq, fine ? vg_no_content(rq) : vg_fail(rq));
    vg_request_unref(rq);
}

/* As "a:succeeded b:failed! c:pending": a mark where it has an error. */
static void expect_steps(const struct vg_operation *op, const char *want)
{
    static const char *const states[] = {
        [STEP_PENDING] = "pending",     [STEP_RUNNING] = "running",
        [STEP_SUCCEEDED] = "succeeded", [STEP_FAILED] = "failed",
        [STEP_UNDONE] = "undone",       [STEP_UNDO_FAILED] = "undo-failed"};
    char is[256] = "";
    size_t n = 0;

    for (size_t i = 0; i < op->n_steps; i++) {
        const struct step *s = &op->steps[i];
        bool begun = s->state != STEP_PENDING;
        assert_int_equal(s->started.tv_sec != 0, begun);
        assert_int_equal(s->ended.tv_sec != 0, begun && s->state != STEP_RUNNING);
        n += (size_t)snprintf(is + n, sizeof(is) - n, "%s%s:%s%s", i ? " " : "", s->name,
                              states[s->state], s->error ? "!" : "");
    }
    assert_string_equal(is, want);
}

static void test_all(void **state)
{
    struct client c;
    struct work w = {0};
    (void)state;
    struct vg_request *rq = begin(&c);
    assert_false(vg_operation_stop(rq->operation)); /* before there are steps */
    assert_int_equal(vg_operation_run_steps(rq, steps, 3, &w), 0);
    assert_string_equal(w.done, "+a+b+c");
    expect_steps(rq->operation, "a:succeeded b:succeeded c:succeeded");
    assert_false(vg_operation_stop(rq->operation)); /* nor after them */
    assert_false(vg_operation_is_cancelled(rq));
    end(rq, true);
}

static void check(struct work w, const char *done, const char *shown, const char *detail)
{
    struct client c;
    struct vg_request *rq = begin(&c);
    struct vg_operation *op = rq->operation;

    assert_int_equal(vg_operation_run_steps(rq, steps, 3, &w), -1);
    assert_string_equal(w.done, done);
    expect_steps(op, shown);
    assert_non_null(strstr(rq->error.detail, detail));
    assert_int_equal(op->stopped, w.cancel_in && !w.fails);
    assert_false(op->stoppable && w.fails);
    end(rq, false);
}

static void test_failures(void **state)
{
    (void)state;
    check((struct work){.fails = "+a"}, "+a", "a:failed! b:pending c:pending",
          "+a fails");
    check((struct work){.fails = "+b"}, "+a+b-a", "a:undone b:failed! c:pending",
          "+b fails");
    check((struct work){.fails = "+c"}, "+a+b+c-a", "a:undone b:succeeded c:failed!",
          "+c fails");
    check((struct work){.fails = "+c", .keeps = "-a"}, "+a+b+c-a",
          "a:undo-failed! b:succeeded c:failed!", "+c fails");
}

static void test_cancelled(void **state)
{
    static const char cancelled[] = "was cancelled; what it had done is undone";
    (void)state;
    check((struct work){.cancel_in = "+a"}, "+a-a", "a:undone b:pending c:pending",
          cancelled);
    check((struct work){.cancel_in = "+b"}, "+a+b-a", "a:undone b:succeeded c:pending",
          cancelled);
    check((struct work){.cancel_in = "+c"}, "+a+b+c-c-a", "a:undone b:succeeded c:undone",
          cancelled); /* in the last one, too */
    check((struct work){.cancel_in = "+b", .fails = "+b"}, "+a+b-a",
          "a:undone b:failed! c:pending", "+b fails"); /* why it ended */
}

static void say_nothing(void *data, virErrorPtr error)
{
    (void)data;
    (void)error;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all),
        TEST(test_failures),
        TEST(test_cancelled),
    };
    if (virInitialize() < 0 || vg_router_build(tables) < 0)
        return 1;
    virSetErrorFunc(NULL, say_nothing);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    vg_router_free();
    return failed;
}
