/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * routes/storage/upload.c, as far as the test driver goes: it has no streams of volumes.
 * The bytes are in tests/qemu/storage/uploads.py, real clients in tests/browser/.
 */
#include "tests/harness/steps.h"

#include <stdio.h>
#include <stdlib.h>

#define TUS    "Tus-Resumable: 1.0.0"
#define OCTETS "Content-Type: application/offset+octet-stream"
#define LENGTH "Upload-Length: 1000"
/* pool default-pool, volume v; with format qcow2; with a digest that is none */
#define WHERE  "Upload-Metadata: pool ZGVmYXVsdC1wb29s,volume dg=="
#define VOLUME "/storage-pools/default-pool/volumes/v"
#define VERSION_TOLD                                                                     \
    {                                                                                    \
        "Tus-Version: 1.0.0", "Tus-Resumable: 1.0.0",                                    \
            "Tus-Extension: creation,termination,checksum,expiration"                    \
    }

static const struct step create[] = {
    {"OPTIONS", "/uploads", 204, "",
     .wants = {"Tus-Version: 1.0.0", TUS, "Tus-Checksum-Algorithm: sha1,sha256",
               "Allow: GET, HEAD, POST, OPTIONS", "!Access-Control-Allow-Origin"}},
    {"OPTIONS", "/uploads/x", 204, "",
     .wants = {"Tus-Version: 1.0.0", "Allow: GET, HEAD, PATCH, DELETE, OPTIONS",
               "Accept-Patch: application/offset+octet-stream"}},
    {"OPTIONS", "/hosts/default/uploads", 204, "", .wants = {"Tus-Version: 1.0.0"}},
    {"OPTIONS", "/domains", 204, "", .wants = {"!Tus-Version", "!Tus-Resumable"}},
    {"GET", "/", 200, NULL, .contains = "*\"volume-content\"*\"uploads\"*"},
    {"GET", "/uploads", 200, "{'uploads':[]}",
     .wants = {TUS, "Cache-Control: no-store", "!ETag"}},
    {"POST", "/uploads", 412, GATEWAY("tus-version"), .wants = VERSION_TOLD},
    {"POST", "/uploads", 412, GATEWAY("tus-version"),
     .headers = {"Tus-Resumable: 0.2.2", LENGTH, WHERE}, .wants = VERSION_TOLD},
    {"POST", "/uploads", 411, GATEWAY("length-required"), .headers = {TUS, WHERE},
     .wants = {TUS}},
    {"POST", "/uploads", 411, GATEWAY("length-required"),
     .headers = {TUS, WHERE, "Upload-Defer-Length: 1"}},
    {"POST", "/uploads", 400, GATEWAY("invalid-value"),
     .headers = {TUS, WHERE, "Upload-Length: many"}},
    {"POST", "/uploads", 400, GATEWAY("invalid-value"),
     .headers = {TUS, WHERE, "Upload-Length: 99999999999999999999"}},
    {"POST", "/uploads", 400, GATEWAY("missing-key"), .headers = {TUS, LENGTH}},
    {"POST", "/uploads", 400, GATEWAY("missing-key"),
     .headers = {TUS, LENGTH, "Upload-Metadata: pool ZGVmYXVsdC1wb29s,volume"}},
    {"POST", "/uploads", 400, GATEWAY("missing-key"),
     .headers = {TUS, LENGTH, "Upload-Metadata: volumes dg==,poo x"}},
    {"POST", "/uploads", 400, GATEWAY("invalid-value"),
     .headers = {TUS, LENGTH, "Upload-Metadata: pool ZGVmYXVsdC1wb29s,volume dg="}},
    {"POST", "/uploads", 400, GATEWAY("invalid-value"), /* a NUL */
     .headers = {TUS, LENGTH, "Upload-Metadata: pool ZGVmYXVsdC1wb29s,volume dgA="}},
    {"POST", "/uploads", 400, GATEWAY("invalid-value"), /* no UTF-8 */
     .headers = {TUS, LENGTH, "Upload-Metadata: pool ZGVmYXVsdC1wb29s,volume /w=="}},
    {"POST", "/uploads", 400, GATEWAY("invalid-value"),
     .headers = {TUS, LENGTH, WHERE ",sha256 YWJj"}},
    {"POST", "/uploads", 404, LIBVIRT("NO_STORAGE_POOL"),
     .headers = {TUS, LENGTH, "Upload-Metadata: pool bm9uZQ==,volume dg=="}},
    {"POST", "/uploads", 413, GATEWAY("beyond-capacity"),
     .headers = {TUS, "Upload-Length: 9000000000000000000", WHERE}},
    {"POST", "/uploads?nonsense=1", 400, GATEWAY("unknown-key"),
     .headers = {TUS, LENGTH, WHERE}},
    {"GET", VOLUME, 404, NULL}, /* nothing is left of any */
    {"POST", "/uploads", 201,
     "{'id':'<string>','pool':'default-pool','volume':'v','offsetBytes':0,"
     "'lengthBytes':1000,'state':'waiting','principal':null,'createdAt':'<string>',"
     "'expiresAt':'<string>'}",
     .headers = {TUS, LENGTH, WHERE},
     .wants = {"Location: /uploads/*", "Upload-Offset: 0", "Upload-Expires: * GMT", TUS}},
    {"GET", VOLUME, 200, "{'capacityBytes':1000,'format':'raw'}"},
    {"DELETE", VOLUME, 409, GATEWAY("volume-in-use")},
    /* nothing has come: it gives way to another, for whose sake the volume is made anew
     */
    {"POST", "/uploads", 201, "{'id':'$id','lengthBytes':10}",
     .headers = {TUS, "Upload-Length: 10", WHERE ",format cmF3", "If-None-Match: *"}},
    {"GET", "/uploads", 200, "{'uploads':[{'id':'<string>','lengthBytes':10}]}"},
};

static const struct step change[] = {
    {"GET", "/uploads/${id}", 200, "{'id':'${id}','state':'waiting'}",
     .wants = {"Upload-Offset: 0", "Upload-Length: 10", "Cache-Control: no-store", TUS,
               "!ETag"}},
    {"HEAD", "/uploads/${id}", 200, "", .headers = {TUS},
     .wants = {"Upload-Offset: 0", "Upload-Length: 10", "Cache-Control: no-store", TUS}},
    {"HEAD", "/uploads/${id}", 412, NULL, .headers = {"Tus-Resumable: 2.0.0"}},
    {"HEAD", "/hosts/default/uploads/${id}", 200, "", .headers = {TUS}},
    {"HEAD", "/uploads/none", 404, NULL, .headers = {TUS}},
    {"PATCH", "/uploads/${id}", 412, GATEWAY("tus-version"),
     .headers = {OCTETS, "Upload-Offset: 0"}, .wants = VERSION_TOLD},
    {"PATCH", "/uploads/${id}", 415, GATEWAY("unsupported-media-type"),
     .headers = {TUS, "Content-Type: application/octet-stream", "Upload-Offset: 0"}},
    {"PATCH", "/uploads/${id}", 415, GATEWAY("unsupported-media-type"),
     .headers = {TUS, "Upload-Offset: 0"}},
    {"PATCH", "/uploads/${id}", 400, GATEWAY("bad-request"), .headers = {TUS, OCTETS}},
    {"PATCH", "/uploads/${id}", 400, GATEWAY("invalid-value"),
     .headers = {TUS, OCTETS, "Upload-Offset: -1"}},
    {"PATCH", "/uploads/${id}", 409, GATEWAY("conflict"),
     .headers = {TUS, OCTETS, "Upload-Offset: 7"}, .wants = {"Upload-Offset: 0"}},
    {"PATCH", "/uploads/${id}", 400, GATEWAY("invalid-value"),
     .headers = {TUS, OCTETS, "Upload-Offset: 0", "Upload-Checksum: md5 AAAA"}},
    {"PATCH", "/uploads/${id}", 400, GATEWAY("invalid-value"),
     .headers = {TUS, OCTETS, "Upload-Offset: 0", "Upload-Checksum: sha1"}},
    {"PATCH", "/uploads/${id}?x=1", 400, GATEWAY("unknown-key"),
     .headers = {TUS, OCTETS, "Upload-Offset: 0"}},
    {"PATCH", "/uploads/none", 404, GATEWAY("not-found"),
     .headers = {TUS, OCTETS, "Upload-Offset: 0"}},
    {"PATCH", "/uploads/${id}", 501, LIBVIRT("NO_SUPPORT"),
     .headers = {TUS, OCTETS, "Upload-Offset: 0"}, .wants = {"Upload-Offset: 0"}},
    {"POST", "/uploads/${id}", 405, GATEWAY("method-not-allowed"), .headers = {TUS}},
    {"POST", "/uploads/${id}", 405, GATEWAY("method-not-allowed"),
     .headers = {TUS, "X-HTTP-Method-Override: PUT"}},
    {"POST", "/domains/test", 405, GATEWAY("method-not-allowed"),
     .headers = {"X-HTTP-Method-Override: DELETE"}},
    {"DELETE", "/uploads/${id}", 412, GATEWAY("tus-version")},
    {"DELETE", "/uploads/none", 404, GATEWAY("not-found"), .headers = {TUS}},
    {"DELETE", "/uploads/${id}", 204, "", .headers = {TUS}, .wants = {TUS}},
    {"DELETE", "/uploads/${id}", 404, GATEWAY("not-found"), .headers = {TUS}},
    {"GET", VOLUME, 404, NULL}, /* it goes with the upload that made it */
    /* one that is there is written, and stays */
    {"POST", "/storage-pools/default-pool/volumes", 201, NULL,
     .json = "{'name':'v','capacityBytes':100,'format':'qcow2'}"},
    {"POST", "/uploads", 412, GATEWAY("precondition-failed"),
     .headers = {TUS, "Upload-Length: 10", WHERE, "If-None-Match: *"}},
    {"POST", "/uploads", 413, GATEWAY("beyond-capacity"),
     .headers = {TUS, "Upload-Length: 101", WHERE}},
    {"POST", "/uploads", 409, GATEWAY("conflict"),
     .headers = {TUS, "Upload-Length: 10", WHERE ",format cmF3"}},
    {"POST", "/uploads", 201, "{'id':'$other'}",
     .headers = {TUS, "Upload-Length: 100", WHERE, "Idempotency-Key: k1"}},
    {"POST", "/uploads", 201, "{'id':'${other}'}",
     .headers = {TUS, "Upload-Length: 100", WHERE, "Idempotency-Key: k1"},
     .wants = {"Location: /uploads/${other}", "Upload-Offset: 0"}},
    {"DELETE", "/uploads/${other}", 204, "", .headers = {TUS}},
    {"GET", VOLUME, 200, "{'capacityBytes':100}"},
    /* of nothing it is complete at once; its digest is that of nothing */
    {"POST", "/uploads", 201, "{'state':'complete'}",
     .headers = {TUS, "Upload-Length: 0", WHERE}, .wants = {"!Upload-Expires"}},
    {"POST", "/uploads", 400, GATEWAY("digest-mismatch"),
     .headers =
         {TUS, "Upload-Length: 0",
          "Upload-Metadata: pool ZGVmYXVsdC1wb29s,volume bg==,sha256 "
          "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw"
          "MDAwMDAwMDAwMA=="}},
    {"GET", "/storage-pools/default-pool/volumes/n", 404, NULL},
    {"GET", "/uploads", 200, "{'uploads':[{'state':'complete','lengthBytes':0}]}"},
};

int main(void)
{
    struct scenario s;

    if (scenario_begin(&s, "upload", ARGS("-c", "test:///default"))) {
        scenario_run(&s, create, COUNT(create));
        scenario_run(&s, change, COUNT(change));
        scenario_end(&s);
    }
    return checks_report();
}
