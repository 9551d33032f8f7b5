/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The requests under torture: reads, changes with what undoes them, errors, and hostile
 * ones.
 */
#include "rows.h"

#define XML_TYPE  "Content-Type: application/xml\r\n"
#define JSON_TYPE "Content-Type: application/json\r\n"
#define NEW_XML                                                                          \
    "<domain type='test'><name>new</name>"                                               \
    "<uuid>12345678-1234-1234-1234-123456789abc</uuid><memory>8192</memory>"             \
    "<os><type>hvm</type></os></domain>"
#define TEST_UUID "6695eb01-f6a4-8304-79aa-97f2502e193f"

/* clang-format off */
const struct row torture_rows[] = {
    /* reads */
    {"GET", "/", .status = 200},
    {"GET", "/health/live", .status = 200},
    {"GET", "/health/ready", .status = 200, .volatile_body = true},
    {"GET", "/hosts", .status = 200},
    {"GET", "/hosts/default", .status = 200, .volatile_body = true},
    {"GET", "/version", .status = 200},
    {"GET", "/connection", .status = 200, .volatile_body = true},
    {"GET", "/connection/capabilities", .status = 200},
    {"GET", "/openapi.json", "Accept-Encoding: gzip\r\n", .status = 200, .volatile_body = true},
    {"GET", "/openapi.yaml", .status = 200},
    {"GET", "/docs", .status = 200},
    {"GET", "/docs/docs.js", "Accept-Encoding: gzip\r\n", .status = 200},
    {"GET", "/docs/swagger-ui.css", .status = 200}, /* unpacked */
    {"GET", "/docs/nosuch", .status = 404},
    {"GET", "/domains", .status = 200, .cold = true},
    {"GET", "/domains?view=full&limit=1&numbers=string", .status = 200, .volatile_body = true},
    {"GET", "/domains?state=running,paused&autostart=false&fields=name,state,title", .status = 200},
    {"GET", "/hosts/-/domains", .status = 200, .two_hosts = true},
    {"GET", "/hosts/-/domains?fields=name", .status = 200, .two_hosts = true, .cold = true},
    {"GET", "/hosts/-/domains?fields=state", .status = 200, .two_hosts = true},
    {"GET", "/hosts/b/domains?limit=1", .status = 200, .two_hosts = true},
    {"GET", "/domains/test", .status = 200, .volatile_body = true},
    {"GET", "/domains/test", .status = 200, .volatile_body = true, .cold = true},
    {"GET", "/hosts/default/domains/" TEST_UUID "?by=uuid", .status = 200, .volatile_body = true},
    {"GET", "/domains/test", "Accept: application/xml\r\n", .status = 200},
    {"GET", "/domains/test/xml?flags=inactive", .status = 200},
    {"GET", "/domains/test?view=config&flags=inactive", .status = 200},
    {"GET", "/domains/test/xml", "Accept: application/json\r\nAccept-Encoding: gzip\r\n", .status = 200, .volatile_body = true},
    {"GET", "/domains/test/state", .status = 200},
    {"GET", "/domains/test/state", "If-None-Match: *\r\n", .status = 304},
    {"HEAD", "/domains/test/state", .status = 200},
    {"GET", "/domains/test/autostart", .status = 200},
    {"GET", "/domain-stats", .status = 200, .volatile_body = true},
    {"GET", "/domains/test/stats", .status = 200, .volatile_body = true},
    {"GET", "/domains/test/screenshot", .status = 200},
    {"GET", "/domains/test/screenshot", "Accept: image/x-portable-pixmap\r\n", .status = 200},
    {"GET", "/domains/test/agent/filesystems", .status = 200},
    {"GET", "/domains/test/devices", .status = 200},
    {"GET", "/domains/test/disks", .status = 200},
    {"GET", "/domains/test/disks/vda", .status = 200},
    {"GET", "/domains/test/disks/vda/stats", .status = 200, .volatile_body = true},
    {"GET", "/domains/test/disks/vda/iotune", .status = 200},
    {"GET", "/domains/test/disk-errors", .status = 200},
    {"GET", "/domains/test/interfaces", .status = 200},
    {"GET", "/domains/test/interfaces/testnet0/parameters", .status = 200},
    {"GET", "/domains/test/memory/peek?size=64", "Accept: application/octet-stream\r\n", .status = 200},
    {"POST", "/domain-stats", JSON_TYPE, "{\"domains\": [\"test\"], \"groups\": [\"state\"]}", 200, .volatile_body = true},
    {"GET", "/domains/test/vcpu-pins", .status = 200},
    {"GET", "/domains/test/cpu-stats", .status = 200, .volatile_body = true},
    {"GET", "/domains/test/scheduler", .status = 200},
    {"GET", "/domains/test/perf-events?flags=config", .status = 200},
    {"GET", "/domains/test/metadata", .status = 200},
    {"GET", "/domains/test/security-labels", .status = 200},
    {"GET", "/domains/test/addresses", .status = 200},
    {"OPTIONS", "/domains/test", .status = 204},
    {"OPTIONS", "/domains", "Origin: https://ui.example\r\n", .status = 204},
    /* changes */
    {"POST", "/domains", XML_TYPE, NEW_XML, 201, .before = {"POST /domains/new/destroy", "DELETE /domains/new"}, .volatile_body = true},
    {"POST", "/domains", JSON_TYPE, "{\"xml\": \"" NEW_XML "\", \"flags\": []}", 201, .before = {"POST /domains/new/destroy", "DELETE /domains/new"}, .two_hosts = true, .volatile_body = true},
    {"PUT", "/domains/test/xml", XML_TYPE, "<domain type='test'><name>test</name><uuid>" TEST_UUID "</uuid><memory>8192</memory><os><type>hvm</type></os></domain>", 200, .volatile_body = true},
    {"PATCH", "/domains/test", "Content-Type: application/merge-patch+json\r\nIf-Match: *\r\n", "{\"domain\": {\"title\": \"t\"}}", 200, .volatile_body = true},
    {"PUT", "/domains/test", JSON_TYPE, "{\"domain\": {\"@type\": \"test\", \"name\": \"test\", \"uuid\": \"" TEST_UUID "\", \"memory\": 8192, \"os\": {\"type\": \"hvm\"}}}", 200, .volatile_body = true},
    {"POST", "/domains?dryRun=true", JSON_TYPE, "{\"name\": \"new\", \"memoryMiB\": 8, \"disks\": [{\"path\": \"/a\"}], \"interfaces\": [{\"network\": \"default\"}], \"graphics\": \"vnc\"}", 200},
    {"DELETE", "/domains/test", NULL, NULL, 204, .before = {"POST /domains/test/destroy", "DEFINE test"}},
    {"POST", "/domains/test/start", JSON_TYPE, "{\"flags\": []}", 204, .before = {"POST /domains/test/destroy"}},
    {"POST", "/domains/test/shutdown", NULL, NULL, 202, .before = {"POST /domains/test/start"}},
    {"POST", "/domains/test/destroy", JSON_TYPE, "{\"flags\": [\"graceful\"]}", 204, .before = {"POST /domains/test/start"}},
    {"POST", "/domains/test/suspend", NULL, NULL, 204, .before = {"POST /domains/test/start", "POST /domains/test/resume"}},
    {"POST", "/domains/test/resume", NULL, NULL, 204, .before = {"POST /domains/test/suspend"}},
    {"POST", "/domains/test/rename", JSON_TYPE, "{\"name\": \"other\"}", 200, .before = {"POST /domains/test/destroy", "RENAME other test"}, .volatile_body = true},
    {"PATCH", "/domains/test/disks/vda/iotune", JSON_TYPE, "{\"totalBytesSecMax\": 9, \"flags\": [\"live\"]}", 200},
    {"POST", "/domains/test/devices/detach", XML_TYPE, "<disk/>", 501},
    {"POST", "/domains/test/disks/vda/pull", JSON_TYPE, "{\"bandwidth\": 1}", 501},
    {"PUT", "/domains/test/autostart", JSON_TYPE, "{\"autostart\": true}", 200},
    {"PUT", "/domains/test/autostart?autostart=false", "If-Match: *\r\n", NULL, 200},
    {"POST", "/domains/test/agent/fs-freeze", JSON_TYPE, "{\"mountpoints\": [\"/\"]}", 200, .before = {"POST /domains/test/agent/fs-thaw"}},
    {"PUT", "/domains/test/agent/users/root/password", JSON_TYPE, "{\"password\": \"secret\"}", 204},
    {"POST", "/domains/test/send-key", JSON_TYPE, "{\"keycodes\": [\"enter\", 1]}", 204},
    {"PATCH", "/domains/test/memory-parameters", JSON_TYPE, "{\"hardLimit\": 4194304, \"flags\": [\"config\"]}", 204},
    {"PUT", "/domains/test/emulator-pin", JSON_TYPE, "{\"cpus\": \"0-3,^2\"}", 204},
    {"PUT", "/domains/test/metadata", JSON_TYPE, "{\"uri\": \"http://a.example/\", \"key\": \"a\", \"value\": \"<a/>\", \"flags\": [\"config\"]}", 204},
    /* errors */
    {"POST", "/domains/test/agent/command", JSON_TYPE, "{\"execute\": \"guest-ping\", \"arguments\": {}}", 501},
    {"PATCH", "/domains/test/memory-parameters", JSON_TYPE, "{\"hardLimits\": 1}", 400},
    {"PUT", "/domains/test/vcpus/0/pin", JSON_TYPE, "{\"cpus\": []}", 400},
    {"GET", "/domains/test/qemu/events?event=%5eST(O)P&regex=true", .status = 501},
    {"GET", "/domains/test/qemu/events?event=ST(&regex=true", .status = 400},
    {"GET", "/nothing/here", .status = 404},
    {"GET", "/hosts/nosuch/domains", .status = 404},
    {"GET", "/domains/nosuch", .status = 404},
    {"GET", "/domains/%zz", .status = 400},
    {"GET", "/domains?state=flying", .status = 400},
    {"GET", "/domains?bogus=1", .status = 400},
    {"GET", "/domains/test/state", "Accept: image/png\r\n", .status = 406},
    {"PATCH", "/domains/test/xml", .status = 405},
    {"PATCH", "/domains/test", JSON_TYPE, "{\"domain\": {\"name\": [null]}}", 400},
    {"POST", "/domains?dryRun=true", JSON_TYPE, "{\"name\": \"new\", \"memoryMiB\": 8, \"disks\": [{}]}", 400},
    {"POST", "/domains/test/start", NULL, NULL, 409, .before = {"POST /domains/test/start"}},
    {"POST", "/domains/test/start", JSON_TYPE, "{\"flags\": [\"bogus\"]}", 400},
    {"POST", "/domains/test/start", JSON_TYPE, "{\"a\": [1, {\"b\": \"c\"}], ", 400},
    {"POST", "/domains/test/start", JSON_TYPE, "{\"a\": 1, \"a\": 2}", 400},
    {"POST", "/domains/test/suspend", "If-Match: \"0123456789abcdef\"\r\n", NULL, 412},
    {"POST", "/domains", XML_TYPE, "<domain", 400},
    {"POST", "/domains", "Content-Type: text/plain\r\n", "x", 415},
    /* hostile */
    {"POST", "/domains", XML_TYPE, "<!DOCTYPE d [<!ENTITY a 'b'>]><d>&a;</d>", 422},
    {"PUT", "/domains/test/xml", XML_TYPE, "<a><b><c>", 400},
    {"GET", "/domains", "Origin: http://evil.example\r\n", .status = 403},
    {"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", "/", .status = 421, .raw = true},
    {"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n", "/", .status = 400, .raw = true},
    {"POST /domains HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", "/domains", .status = 400, .raw = true},
    {"POST /domains HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n", "/domains", .status = 413, .raw = true},
};
/* clang-format on */

const size_t torture_rows_count = sizeof(torture_rows) / sizeof(torture_rows[0]);
