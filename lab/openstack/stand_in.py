"""stand_in.py PORT FILE: Neutron and Glance as far as Nova needs them. One network, one image; ports are kept in FILE."""

import json
import os
import re
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PORT, FILE = int(sys.argv[1]), sys.argv[2]
NET = "11111111-1111-4111-8111-111111111111"
SUBNET = "22222222-2222-4222-8222-222222222222"
GROUP = "33333333-3333-4333-8333-333333333333"
IMAGE = "44444444-4444-4444-8444-444444444444"

NETWORK_OBJECT = {
    "id": NET, "name": "lab-net", "status": "ACTIVE", "admin_state_up": True, "shared": True, "router:external": False,
    "subnets": [SUBNET], "tenant_id": "", "project_id": "", "mtu": 1500, "port_security_enabled": False,
    "provider:network_type": "flat", "provider:physical_network": "lab", "provider:segmentation_id": None,
}
SUBNET_OBJECT = {
    "id": SUBNET, "name": "lab-subnet", "network_id": NET, "cidr": "10.20.0.0/16", "gateway_ip": "10.20.0.1",
    "ip_version": 4, "enable_dhcp": False, "dns_nameservers": [], "host_routes": [], "tenant_id": "", "project_id": "",
    "allocation_pools": [{"start": "10.20.0.10", "end": "10.20.255.250"}],
}
GROUP_OBJECT = {
    "id": GROUP, "name": "default", "description": "", "tenant_id": "", "project_id": "", "security_group_rules": [],
}
IMAGE_OBJECT = {
    "id": IMAGE, "name": "lab-image", "status": "active", "visibility": "public", "container_format": "bare",
    "disk_format": "raw", "size": 1048576, "virtual_size": None, "min_disk": 0, "min_ram": 0, "checksum": "0" * 32,
    "owner": None, "protected": False, "os_hidden": False, "os_hash_algo": "sha512", "os_hash_value": "0" * 128,
    "tags": [], "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
    "file": "/v2/images/%s/file" % IMAGE, "self": "/v2/images/" + IMAGE, "schema": "/v2/schemas/image",
}
COLLECTIONS = (
    ("networks", "network", NETWORK_OBJECT),
    ("subnets", "subnet", SUBNET_OBJECT),
    ("security-groups", "security_group", GROUP_OBJECT),
)
FIXED = {
    "/v2/schemas/image": {
        "name": "image", "properties": {k: {} for k in IMAGE_OBJECT}, "additionalProperties": {"type": "string"},
    },
    "/v2/images": {"images": [IMAGE_OBJECT], "first": "/v2/images", "schema": "/v2/schemas/images"},
    "/v2/images/" + IMAGE: IMAGE_OBJECT,
    "/v2.0/extensions": {"extensions": [
        {"alias": a, "name": a, "description": "", "updated": "2026-01-01T00:00:00Z", "links": []}
        for a in ("binding", "security-group", "port-security")
    ]},
}
VERSIONS = {"versions": [{
    "id": "v2.0", "status": "CURRENT",
    "links": [{"rel": "self", "href": "http://127.0.0.1:%d/v2.0/" % PORT}],
}]}
QUOTA = {"quota": {k: -1 for k in (
    "port", "network", "subnet", "security_group", "security_group_rule", "floatingip", "router",
)}}
NOT_FILTERS = ("fields", "limit", "marker", "sort_key", "sort_dir")


class Ports:
    """The ports, kept in FILE."""

    def __init__(self):
        self.all, self.serial = {}, 10
        if os.path.exists(FILE):
            with open(FILE) as f:
                kept = json.load(f)
            self.all, self.serial = kept["ports"], kept["serial"]

    def save(self):
        with open(FILE + ".new", "w") as f:
            json.dump({"ports": self.all, "serial": self.serial}, f)
        os.replace(FILE + ".new", FILE)

    def add(self, wanted):
        n, self.serial = self.serial, self.serial + 1
        port = {
            "id": str(uuid.uuid4()), "name": "", "network_id": NET, "tenant_id": wanted.get("tenant_id", ""),
            "project_id": wanted.get("tenant_id", ""), "device_id": "", "device_owner": "", "status": "ACTIVE",
            "admin_state_up": True, "mac_address": "fa:16:3e:%02x:%02x:%02x" % (n >> 16 & 255, n >> 8 & 255, n & 255),
            "fixed_ips": [{"subnet_id": SUBNET, "ip_address": "10.20.%d.%d" % (n >> 8 & 255, n & 255)}],
            "security_groups": [], "allowed_address_pairs": [], "extra_dhcp_opts": [], "port_security_enabled": False,
            "binding:vnic_type": "normal", "binding:vif_type": "ovs", "binding:vif_details": {},
            "binding:profile": {}, "binding:host_id": "",
        }
        port.update(wanted)
        self.all[port["id"]] = port
        self.save()
        return port


LOCK, PORTS = threading.Lock(), Ports()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def answer(self, code, obj=None):
        body = b"" if obj is None else json.dumps(obj).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_any(self):
        url = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}") if length else {}
        path = url.path.rstrip("/").removesuffix(".json")
        with LOCK:
            self.answer(*respond(self.command, path, parse_qs(url.query), body))

    do_GET = do_POST = do_PUT = do_DELETE = handle_any


def matches(obj, query):
    return all(k in NOT_FILTERS or k not in obj or str(obj[k]) in v for k, v in query.items())


def respond(method, path, query, body):
    if path in ("", "/v2.0", "/v2"):
        return 200, VERSIONS
    if path in FIXED:
        return 200, FIXED[path]
    if path.startswith("/v2.0/quotas"):
        return 200, QUOTA
    if path == "/v2.0/ports":
        if method == "POST":
            return 201, {"port": PORTS.add(body["port"])}
        return 200, {"ports": [p for p in PORTS.all.values() if matches(p, query)]}
    one = re.fullmatch(r"/v2\.0/ports/([^/]+)", path)
    if one:
        return respond_port(method, one[1], body)
    for many, single, obj in COLLECTIONS:
        if path == "/v2.0/" + many:
            return 200, {many.replace("-", "_"): [obj] if matches(obj, query) else []}
        if path == "/v2.0/%s/%s" % (many, obj["id"]):
            return 200, {single: obj}
    if method == "GET" and re.fullmatch(r"/v2\.0/[a-z_-]+", path):
        return 200, {path.rsplit("/", 1)[1].replace("-", "_"): []}
    return not_found("NotFound", "no such thing in the stand-in: " + path)


def respond_port(method, port, body):
    if port not in PORTS.all:
        return not_found("PortNotFound", "Port could not be found")
    if method == "DELETE":
        del PORTS.all[port]
        PORTS.save()
        return 204, None
    if method == "PUT":
        PORTS.all[port].update({k: v for k, v in body["port"].items() if v is not None})
        PORTS.save()
    return 200, {"port": PORTS.all[port]}


def not_found(kind, message):
    return 404, {"NeutronError": {"type": kind, "message": message, "detail": ""}}


ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
