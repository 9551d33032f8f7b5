#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes a guest, follows it by events, saves it as an operation, and removes it, with the client that OpenAPI
Generator makes of openapi.yaml: README.md.

    TOKEN=... PYTHONPATH=client ./guests.py http://localhost:8080
"""
import json
import os
import sys

import virtgate_client as virtgate


def connect(url, host=None):
    """Calls of the default host, or of a named one."""
    configuration = virtgate.Configuration(host=f"{url}/hosts/{host}" if host else url)
    configuration.access_token = os.environ.get("TOKEN")
    configuration.client_side_validation = False  # words of a later gateway are no error
    return virtgate.ApiClient(configuration)


def wait_for(client, operation):
    while operation.state in ("pending", "running"):
        operation = virtgate.OperationsApi(client).get_operation(operation.id, wait=30)
    return operation


def main(url):
    client = connect(url)
    domains = virtgate.DomainsApi(client)
    guests, _, headers = domains.list_domains_with_http_info(fields=["name", "state"])
    for guest in guests.domains:
        print(guest.name, guest.state)

    made = domains.define_domain({"name": "from-python", "memoryMiB": 64})
    print("made", made.name, made.state)
    virtgate.PowerApi(client).start_domain(made.uuid)
    told = virtgate.EventsApi(client).watch_events(
        since=headers["X-Virtgate-Revision"], wait=30, object=["domain"], event=["lifecycle"])
    print("event", told.events[0]["domain"]["name"], told.events[0]["type"])
    saved = virtgate.OperationsApi(client).managed_save_domain(made.uuid, prefer="respond-async")
    print("saved", wait_for(client, saved).state)
    domains.undefine_domain(made.uuid, flags=["managed-save"])
    try:
        domains.get_domain(made.uuid)
    except virtgate.ApiException as error:
        problem = json.loads(error.body)
        print("gone", problem["status"], problem["title"])


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8080")
