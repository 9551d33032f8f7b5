#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client of the standard library alone, made of the gateway's own /openapi.json: each operationId is a
method, whose arguments are those of the path, the query, the header, and `body`.

    gateway = Gateway("http://localhost:8080", token="...", host="kvm1")
    for domain in gateway.listDomains(state="active")["domains"]:
        gateway.shutdownDomain(domain=domain["uuid"])

As a program it prints the guests, makes one, follows it by events, and removes it:

    TOKEN=... ./virtgate.py http://localhost:8080
"""
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request


class Problem(Exception):
    """An answer that says no: libvirt's message where there is one; `body` is problem+json."""

    def __init__(self, status, body):
        super().__init__(body.get("error", {}).get("message") or body.get("detail") or body["title"])
        self.status, self.body = status, body


class Answer(dict):
    """The members of a JSON answer; `headers` beside them (ETag, X-Virtgate-Revision)."""

    def __init__(self, members, headers):
        super().__init__(members)
        self.headers = headers


class Gateway:
    """The operations of a gateway, on its default host or on a named one."""

    def __init__(self, url, token=None, host=None, timeout=90):
        self.url, self.token, self.timeout = url.rstrip("/"), token, timeout
        with urllib.request.urlopen(self.url + "/openapi.json", timeout=timeout) as answer:
            self._document = json.load(answer)
        self._host = host and f"/hosts/{urllib.parse.quote(host, safe='')}"
        self._operations = {
            operation["operationId"]: (method.upper(), path, item.get("parameters", []) + operation.get("parameters", []))
            for path, item in self._document["paths"].items()
            for method, operation in item.items() if "operationId" in operation}

    def __dir__(self):
        return [*super().__dir__(), *self._operations]

    def __getattr__(self, name):
        if name.startswith("_") or name not in self._operations:
            raise AttributeError(f"this gateway has no operation {name!r}")
        return lambda **arguments: self._call(name, arguments)

    def _resolve(self, one):
        found = one
        if "$ref" in one:
            found = self._document
            for key in one["$ref"].split("/")[1:]:
                found = found[key]
        return found

    def _call(self, name, arguments):
        method, path, parameters = self._operations[name]
        body = arguments.pop("body", None)
        headers = {"Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        query = {}
        for one in map(self._resolve, parameters):
            key = one["name"].replace("-", "_")
            if key not in arguments:
                continue
            value = arguments.pop(key)
            if one["in"] == "path":
                path = path.replace(f"{{{one['name']}}}", urllib.parse.quote(str(value), safe=""))
            elif one["in"] == "header":
                headers[one["name"]] = value
            else:
                query[one["name"]] = (",".join(value) if isinstance(value, (list, tuple)) else
                                      str(value).lower() if isinstance(value, bool) else value)
        if arguments or "{" in path:
            raise TypeError(f"{name}: unknown {list(arguments)}" if arguments else f"{name}: {path} has no value")
        if self._host and not path.startswith("/hosts"):
            path = self._host + path
        return self._send(method, path + (query and "?" + urllib.parse.urlencode(query, safe=",") or ""), headers, body)

    def _send(self, method, path, headers, body):
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers["Content-Type"] = "application/xml" if isinstance(body, bytes) else "application/json"
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                text = answer.read()
                found = json.loads(text) if "json" in answer.headers.get("Content-Type", "") else {}
                return Answer(found, answer.headers)
        except urllib.error.HTTPError as error:
            with error:
                text = error.read().decode(errors="replace")
            try:
                problem = json.loads(text)
            except ValueError:
                problem = {"title": text or error.reason}
            raise Problem(error.code, problem) from None


def main(url):
    gateway = Gateway(url, os.environ.get("TOKEN"))
    guests = gateway.listDomains(fields=["name", "state"])
    for domain in guests["domains"]:
        print(domain["name"], domain["state"])
    revision = guests.headers["X-Virtgate-Revision"]

    made = gateway.defineDomain(body={"name": "from-python", "memoryMiB": 64})
    print("made", made["name"], made["state"])
    gateway.patchDomain(domain=made["uuid"], body={"domain": {"title": "Made by Python"}})
    print("title", gateway.getDomain(domain=made["uuid"], fields=["title"])["title"])
    gateway.startDomain(domain=made["uuid"])
    events = gateway.watchEvents(since=revision, wait=30, object=["domain"], event=["lifecycle"])
    print("events", any(one["domain"]["name"] == "from-python" for one in events["events"]))
    gateway.destroyDomain(domain=made["uuid"])
    gateway.undefineDomain(domain=made["uuid"])
    try:
        gateway.getDomain(domain=made["uuid"])
    except Problem as problem:
        print("gone", problem.status, problem)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8080")
