#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The page at /docs as a person sees it, in Chromium: what is in view, XML bodies, streams."""
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import Request, urlopen

os.environ.pop("VG_RECORD", None)  # Chromium's own WebSocket is no exchange of the gateway's
sys.path.insert(0, str(Path(__file__).parents[1] / "harness"))
from gateway import Gateway, WebSocket, check, report  # noqa: E402

OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
           "--disable-background-networking", "--disable-component-update", "--disable-sync",
           "--disable-dev-shm-usage", "--window-size=1280,1000", "--remote-debugging-port=0"]

# Waits until something is there; opens "Try it out" of the operation that the page was opened at.
HELPERS = """
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
async function until(find, seconds = 40) {
  for (let i = 0; i < seconds * 20; i++) {
    const found = find();
    if (found) return found;
    await pause(50);
  }
  return null;
}
async function tryOut(operation) {
  const block = await until(() => document.querySelector(`.opblock.is-open[id$="-${operation}"]`));
  (await until(() => block.querySelector(".try-out__btn"))).click();
  await until(() => block.querySelector(".btn.execute"));
  return block;
}
"""


class Page:
    """One page of a Chromium of our own, by its DevTools protocol."""

    def __init__(self, folder, gateway):
        self.gateway = gateway
        self.log = open(Path(folder, "chromium.log"), "wb")
        self.process = subprocess.Popen(["chromium", *OPTIONS, f"--user-data-dir={folder}/data",
                                         "about:blank"], stdout=self.log, stderr=self.log)
        active = Path(folder, "data", "DevToolsActivePort")
        for _ in range(600):
            if active.exists() and active.read_text().count("\n"):
                break
            time.sleep(0.05)
        port = int(active.read_text().split()[0])
        request = Request(f"http://127.0.0.1:{port}/json/new?about:blank", method="PUT")
        with urlopen(request, timeout=20) as answer:
            target = json.load(answer)["webSocketDebuggerUrl"]
        self.socket = WebSocket(port, "/" + target.split("/", 3)[3])
        self.n = 0

    def call(self, method, **params):
        self.n += 1
        self.socket.send(json.dumps({"id": self.n, "method": method, "params": params}).encode(),
                         opcode=1)
        while message := self.socket.message(60):
            answer = json.loads(message[1])
            if answer.get("id") == self.n:
                return answer
        raise EOFError

    def run(self, script):
        """The value of an async function's body."""
        answer = self.call("Runtime.evaluate", awaitPromise=True, returnByValue=True,
                           expression=f"(async () => {{ {HELPERS} {script} }})()")
        return answer["result"]["result"].get("value", json.dumps(answer["result"]))

    def visit(self, fragment):
        """Loads the page anew, at an operation."""
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=f"http://127.0.0.1:{self.gateway}/docs{fragment}")

    def close(self):
        self.socket.close()
        self.process.terminate()
        self.process.wait(20)
        self.log.close()


def test_view(page):
    top = page.run("""
        const top = () => document.querySelector(".operation-filter-input")
            ?.getBoundingClientRect().top;
        await until(() => top() < 600);
        return top();""")
    check(isinstance(top, (int, float)) and top < 600, "the filter is in view", top)
    essay = page.run("""
        const essay = document.querySelector(".info details");
        const closed = essay.getBoundingClientRect().height;
        essay.open = true;
        return [closed, essay.getBoundingClientRect().height];""")
    check(essay[0] < 100 < 500 < essay[1], "what holds for all opens when it is wanted", essay)


def test_prepared(page):
    """What Swagger UI is given has no text that it would take for a file."""
    found = page.run("""
        const spec = prepare(await (await fetch("openapi.json")).json());
        const bodies = Object.values(spec.paths).flatMap((path) => Object.values(path))
          .map((operation) => [operation.operationId,
                               operation.requestBody?.content?.["application/xml"]])
          .filter(([id, body]) => body);
        return [JSON.stringify(spec).match(/"contentMediaType":"[^"]*xml[^"]*"/g), bodies.length,
                bodies.filter(([id, body]) =>
                  !Object.values(body.examples ?? { one: { value: body.example } })
                    .every((one) => /^</.test(one.value))).map(([id]) => id)];""")
    check(found[0] is None, "no XML is taken for a file", found)
    check(found[1] > 5 and found[2] == [], "each body in XML has an example", found)


def test_xml(page):
    for tag, operation in (("domains", "defineDomain"), ("snapshots", "createSnapshot")):
        page.visit(f"#/{tag}/{operation}")
        seen = page.run(f"""
            const block = await tryOut("{operation}");
            const media = block.querySelector(".opblock-section-request-body select");
            if (media && media.value !== "application/xml") {{
              const set = Object.getOwnPropertyDescriptor(HTMLSelectElement.prototype, "value").set;
              set.call(media, "application/xml");
              media.dispatchEvent(new Event("change", {{ bubbles: true }}));
            }}
            const text = await until(() => {{
              const area = block.querySelector("textarea.body-param__text");
              return area?.value.includes("<domain") ? area : null;
            }}, 10);
            return [block.querySelectorAll("input[type=file]").length, text?.value ?? ""];""")
        check(isinstance(seen, list) and seen[0] == 0 and "<domain" in seen[1],
              f"{operation}: its XML is a text", seen)


def execute(page, tag, operation):
    """Status and body as the page shows them."""
    page.visit(f"#/{tag}/{operation}")
    return page.run(f"""
        const block = await tryOut("{operation}");
        block.querySelector(".btn.execute").click();
        const status = await until(() =>
          block.querySelector(".live-responses-table .response .response-col_status"));
        return [status?.innerText ?? "", block.querySelector(".live-responses-table")?.innerText];
        """)


def test_try(page):
    status, _ = execute(page, "domains", "defineDomain")
    check("201" in status, "the example of a new domain works as it is", status)
    status, text = execute(page, "events", "watchEvents")
    check("200" in status and "retry:" in text and "the stream goes on" in text,
          "a stream is shown, and does not spin for ever", f"{status} {text}")


def main():
    if os.environ.get("DOCS") == "no":
        check(True, "there is no page")
        report()
    gateway = Gateway("test:///default")
    with tempfile.TemporaryDirectory(prefix="vg-docs-", ignore_cleanup_errors=True) as folder:
        page = Page(folder, gateway.port)
        page.visit("")
        test_view(page)
        test_prepared(page)
        test_xml(page)
        test_try(page)
        page.close()
    gateway.stop()
    report()


main()
