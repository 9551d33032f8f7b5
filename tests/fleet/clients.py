# SPDX-License-Identifier: LGPL-2.1-or-later
"""Examples that need packages of npm: the clients in TypeScript and in Python that are made of openapi.yaml,
and the Kubernetes manifest, against Kubernetes' own types and as the gateway takes it.
"""
import json
import os
import re
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import yaml

from gateway import Gateway, check, free_port

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
TYPES = {"Service": "core/v1", "ConfigMap": "core/v1", "StatefulSet": "apps/v1",
         "PodDisruptionBudget": "policy/v1"}
TOKEN = "ci viewer " + 64 * "a" + "\n"
EXPECTED = ["test running", "made from-typescript 36", "events 200 true", "gone 204",
            "missing 404 Domain not found"]

PYTHON_SAYS = ["test running", "made from-python shutoff", "event from-python defined", "saved succeeded",
               "gone 404 Domain not found"]


def run(what, *command, **how):
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False, **how)
    check(done.returncode == 0, what, done.stdout[-3000:])
    return done.stdout


def fetch_packages():
    """Pinned, into the build folder; no script of a package runs."""
    at = ROOT / os.environ.get("O", "build") / "examples"
    at.mkdir(parents=True, exist_ok=True)
    lock = HERE / "package-lock.json"
    if not (at / "fetched").exists() or (at / "fetched").read_bytes() != lock.read_bytes():
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, at)
        run("npm ci", "npm", "ci", "--loglevel=error", "--no-audit", "--no-fund",
            "--ignore-scripts", cwd=at)
        shutil.copy(lock, at / "fetched")
    return at / "node_modules"


def check_typescript(folder, modules):
    at = folder / "typescript"
    shutil.copytree(ROOT / "examples/typescript", at)
    (at / "node_modules").symlink_to(modules)
    wanted, pinned = (json.loads(p.read_text(encoding="utf-8")) for p in
                      (at / "package.json", HERE / "package.json"))
    for name, version in {**wanted["dependencies"], **wanted["devDependencies"]}.items():
        check(pinned["devDependencies"].get(name) == version, f"{name} is the one that is tested")
    run("openapi-typescript", modules / ".bin/openapi-typescript", ROOT / "openapi.yaml",
        "--default-non-nullable=false", "-o", at / "api.ts", cwd=at)
    run("tsc of the client", modules / ".bin/tsc", "-p", at, cwd=at)
    gateway = Gateway("test:///default")
    said = run("the client", "node", at / "guests.js", f"http://127.0.0.1:{gateway.port}", cwd=at)
    check(said.splitlines() == EXPECTED, "what the client prints", said)
    gateway.stop()


def check_python(folder, modules):
    """The commands of its README, but for the one that fetches the generator."""
    at = folder / "examples/python"
    shutil.copytree(ROOT / "examples/python", at)
    (folder / "openapi.yaml").symlink_to(ROOT / "openapi.yaml")
    (at / "node_modules").symlink_to(modules)
    block = re.search(r"^```sh\n(.*?)^```", (at / "README.md").read_text(encoding="utf-8"), re.M | re.S)[1]
    install, commands = block.split("\n", 1)
    pinned = json.loads((HERE / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    name, version = re.match(r"npm install (\S+)@(\S+)$", install).groups()
    check(pinned.get(name) == version, f"{name} is the one that is tested")
    *make, use = commands.replace("\\\n", " ").splitlines()
    gateway = Gateway("test:///default")
    url = f"http://127.0.0.1:{gateway.port}"
    environment = {**os.environ, "TOKEN": "", "JAVA_OPTS": " ".join(
        f"-D{one}=false" for one in ("modelTests", "apiTests", "modelDocs", "apiDocs"))}
    run("the client in Python is generated", "sh", "-ec", "\n".join(make), cwd=at, env=environment)
    said = run("the client in Python", "sh", "-ec", use.replace("http://localhost:8080", url), cwd=at, env=environment)
    check(said.splitlines() == PYTHON_SAYS, "what guests.py prints", said)
    gateway.stop()


def check_types(folder, modules, objects):
    """As TypeScript sees them: no member that is unknown, none of another type, none missing."""
    at = folder / "kubernetes"
    at.mkdir()
    (at / "node_modules").symlink_to(modules)
    lines = [f"import type {{{kind}}} from 'kubernetes-types/{module}'"
             for kind, module in TYPES.items()]
    lines += [f"export const o{i}: {o['kind']} = {json.dumps(o)}" for i, o in enumerate(objects)]
    (at / "objects.ts").write_text("\n".join(lines) + "\n", encoding="utf-8")
    options = ["--noEmit", "--strict", "--skipLibCheck", "--types", "node"]
    run("tsc of the manifest", modules / ".bin/tsc", *options, "objects.ts", cwd=at)
    (at / "objects.ts").write_text("\n".join(lines).replace("httpGet", "httpPull", 1) + "\n",
                                   encoding="utf-8")
    done = subprocess.run([modules / ".bin/tsc", *options, "objects.ts"], cwd=at, check=False,
                          stdout=subprocess.DEVNULL)
    check(done.returncode != 0, "a member that Kubernetes does not know is found")


def check_pod(folder, objects):
    """The container's arguments start a gateway, and its probes are answered."""
    found = {o["kind"]: o for o in objects}
    stateful, = (found["StatefulSet"],)
    configs = found["ConfigMap"]["data"]
    check(len(configs) == stateful["spec"]["replicas"], "a replica for each shard")
    container, = stateful["spec"]["template"]["spec"]["containers"]
    port = free_port()
    files = folder / "pod"
    files.mkdir()
    for name, text in configs.items():
        lines = ["uri = test:///default" if l.startswith("uri") else l for l in text.splitlines()]
        (files / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    (files / "tokens").write_text(TOKEN, encoding="utf-8")
    run("openssl", "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=virtgate", "-days", "2", "-keyout",
        files / "tls.key", "-out", files / "tls.crt")
    for name in ("tokens", "tls.key"):
        (files / name).chmod(0o440)
    arguments = [a.replace("$(POD_NAME)", "virtgate-0").replace("/etc/virtgate", str(files)).replace(
        "/run/virtgate", str(files)).replace("0.0.0.0:8443", f"127.0.0.1:{port}")
        for a in container["args"]]
    environment = {**os.environ, "VIRTGATE_ALLOW_INSECURE": "no"}
    with subprocess.Popen([os.environ.get("VIRTGATE_BIN", ROOT / "build/virtgate"), *arguments],
                          env=environment, stderr=subprocess.DEVNULL) as process:
        trust = ssl.create_default_context(cafile=files / "tls.crt")
        trust.check_hostname = False
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            path = container[probe]["httpGet"]["path"]
            status = None
            for _ in range(200):
                try:
                    with urllib.request.urlopen(f"https://127.0.0.1:{port}{path}", timeout=5,
                                                context=trust) as answer:
                        status = answer.status
                        break
                except OSError:
                    time.sleep(0.1)
            check(status == 200, f"{probe} {path}", status)
        process.terminate()
        check(process.wait(30) == 0, "the pod's exit status")


def check_clients():
    modules = fetch_packages()
    manifest = (ROOT / "examples/kubernetes/virtgate.yaml").read_text(encoding="utf-8")
    objects = list(yaml.safe_load_all(manifest))
    with tempfile.TemporaryDirectory(prefix="vg-examples-") as name:
        folder = Path(name)
        check_typescript(folder, modules)
        check_python(folder, modules)
        check_types(folder, modules, objects)
        check_pod(folder, objects)
