"""seed.py identity | wait N | servers [NAME...]: what the lab needs in Keystone and Nova. Each step can be repeated.

The environment says where they are: LAB_KEYSTONE, LAB_NOVA, LAB_PLACEMENT, LAB_STAND_IN (URLs without a version).
"""

import os
import sys
import time

import requests

KEYSTONE = os.environ["LAB_KEYSTONE"] + "/v3"
NOVA = os.environ["LAB_NOVA"] + "/v2.1"
PLACEMENT, STAND_IN = os.environ["LAB_PLACEMENT"], os.environ["LAB_STAND_IN"]
IMAGE = "44444444-4444-4444-8444-444444444444"
NET = "11111111-1111-4111-8111-111111111111"
LIMIT = 120  # seconds


def session(user, project):
    s = requests.Session()
    s.trust_env = False
    default = {"id": "default"}
    r = s.post(KEYSTONE + "/auth/tokens", json={"auth": {
        "identity": {"methods": ["password"], "password": {
            "user": {"name": user, "domain": default, "password": "lab"},
        }},
        "scope": {"project": {"name": project, "domain": default}},
    }})
    r.raise_for_status()
    s.headers["X-Auth-Token"] = r.headers["X-Subject-Token"]
    s.headers["OpenStack-API-Version"] = "compute 2.93"
    return s


def ok(r):
    if r.status_code >= 300:
        sys.exit("%s %s: %s %s" % (r.request.method, r.url, r.status_code, r.text))
    return r.json() if r.text else {}


def identity():
    s = session("admin", "admin")

    def ensure(many, one, body, **match):
        there = ok(s.get("%s/%s" % (KEYSTONE, many), params=match or {"name": body["name"]}))[many]
        if there:
            return there[0]
        return ok(s.post("%s/%s" % (KEYSTONE, many), json={one: body}))[one]

    roles = {r["name"]: r["id"] for r in ok(s.get(KEYSTONE + "/roles"))["roles"]}
    projects = {
        name: ensure("projects", "project", {"name": name, "domain_id": "default"})["id"]
        for name in ("service", "demo")
    }
    for name, project, role in (
        ("nova", "service", "admin"), ("placement", "service", "admin"), ("neutron", "service", "admin"),
        ("alice", "demo", "member"), ("viewer", "demo", "reader"), ("admin", "demo", "admin"),
    ):
        user = ensure("users", "user", {"name": name, "domain_id": "default", "password": "lab"})
        ok(s.put("%s/projects/%s/users/%s/roles/%s" % (KEYSTONE, projects[project], user["id"], roles[role])))
    for kind, name, url in (
        ("compute", "nova", NOVA), ("placement", "placement", PLACEMENT),
        ("network", "neutron", STAND_IN), ("image", "glance", STAND_IN),
    ):
        service = ensure("services", "service", {"name": name, "type": kind}, type=kind)["id"]
        there = ok(s.get(KEYSTONE + "/endpoints", params={"service_id": service}))["endpoints"]
        for interface in {"public", "internal"} - {e["interface"] for e in there}:
            ok(s.post(KEYSTONE + "/endpoints", json={"endpoint": {
                "service_id": service, "interface": interface, "region_id": "lab", "url": url,
            }}))


def wait(n):
    """Wait until n hypervisors are up: a server made earlier can end in ERROR."""
    s, end = session("admin", "admin"), time.time() + LIMIT
    while True:
        r = s.get(NOVA + "/os-hypervisors/detail")
        if r.status_code == 200 and sum(h["state"] == "up" for h in r.json()["hypervisors"]) >= int(n):
            return
        if time.time() > end:
            sys.exit("no hypervisor came up: " + r.text)
        time.sleep(0.5)


def servers(*names):
    admin, alice = session("admin", "admin"), session("alice", "demo")
    flavors = {f["name"]: f["id"] for f in ok(admin.get(NOVA + "/flavors"))["flavors"]}
    if "k8s.worker" not in flavors:
        wanted = {"flavor": {"name": "k8s.worker", "ram": 4096, "vcpus": 2, "disk": 40}}
        flavors["k8s.worker"] = ok(admin.post(NOVA + "/flavors", json=wanted))["flavor"]["id"]
    names = names or ("k8s-worker-1", "k8s-worker-2")
    there = {s["name"] for s in ok(alice.get(NOVA + "/servers"))["servers"]}
    for name in names:
        if name not in there:
            ok(alice.post(NOVA + "/servers", json={"server": {
                "name": name, "flavorRef": flavors["k8s.worker"], "imageRef": IMAGE, "networks": [{"uuid": NET}],
                "metadata": {"role": "worker"},
            }}))
    end = time.time() + LIMIT
    while True:
        got = {s["name"]: s for s in ok(alice.get(NOVA + "/servers/detail"))["servers"]}
        status = {name: got[name]["status"] for name in names}
        if "BUILD" not in status.values():
            break
        if time.time() > end:
            sys.exit("still building: %s" % status)
        time.sleep(0.5)
    for name in names:
        print(name, got[name]["id"], status[name])
    if "ERROR" in status.values():
        sys.exit("a server is in ERROR")


{"identity": identity, "wait": wait, "servers": servers}[sys.argv[1]](*sys.argv[2:])
