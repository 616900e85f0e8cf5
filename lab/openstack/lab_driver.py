"""A hypervisor in memory whose guests survive a restart of nova-compute, and can change behind Nova's back.

Files made in the folder ctl/HOST/ of the lab do so: ID.off (the guest shut itself down; Nova gets a lifecycle event),
ID.crash (no event: Nova's periodic sync finds it), ID.on (it came up by itself), ID.lost (it is gone from the host).
"""

import json
import os
import time

import eventlet
from oslo_log import log as logging

import nova.conf
from nova.compute import power_state
from nova.scheduler.client import report
from nova.virt import event, fake

CONF = nova.conf.CONF
LOG = logging.getLogger("nova.lab_driver")

STATES = {"off": power_state.SHUTDOWN, "crash": power_state.CRASHED, "on": power_state.RUNNING}
EVENTS = {"off": event.EVENT_LIFECYCLE_STOPPED, "on": event.EVENT_LIFECYCLE_STARTED}

# Nova asks for these at every build, once for each guest on the host, and needs them for reshaping only.
report.SchedulerReportClient.get_allocations_for_provider_tree = lambda self, context, nodename: {}


class LabDriver(fake.FakeDriver):
    vcpus, memory_mb, local_gb = 4000, 16000000, 6000000

    def init_host(self, host):
        super().init_host(host)
        self._file = os.path.join(CONF.state_path, "guests-%s.json" % host)
        self._ctl = os.path.join(os.path.dirname(CONF.state_path), "ctl", host)
        os.makedirs(self._ctl, exist_ok=True)
        if os.path.exists(self._file):
            with open(self._file) as f:
                for uuid, (name, state) in json.load(f).items():
                    self.instances[uuid] = fake.FakeInstance(name, state, uuid)
        eventlet.spawn_n(self._watch)

    def _save(self):
        with open(self._file + ".new", "w") as f:
            json.dump({uuid: (i.name, i.state) for uuid, i in self.instances.items()}, f)
        os.replace(self._file + ".new", self._file)

    def _watch(self):
        while True:
            eventlet.sleep(0.5)
            try:
                for name in os.listdir(self._ctl):
                    os.unlink(os.path.join(self._ctl, name))
                    uuid, _, what = name.rpartition(".")
                    if uuid in self.instances:
                        self._befall(uuid, what)
            except Exception:
                LOG.exception("reading the control folder")

    def _befall(self, uuid, what):
        LOG.info("guest %s: %s", uuid, what)
        if what == "lost":
            del self.instances[uuid]
        else:
            self.instances[uuid].state = STATES[what]
        self._save()
        if what in EVENTS:
            self.emit_event(event.LifecycleEvent(uuid, EVENTS[what]))

    def live_migration(self, context, instance, *args, **kwargs):
        super().live_migration(context, instance, *args, **kwargs)
        self.instances.pop(instance.uuid, None)  # the stock driver leaves the guest on both hosts
        self._save()

    def get_host_uptime(self):
        up = "42 days,  1:23"
        try:  # the file is as old as the machine's boot
            minutes = int(time.time() - os.stat(self._file + ".boot").st_mtime) // 60
            up = "%d min" % minutes if minutes < 60 else "%2d:%02d" % divmod(minutes, 60)
        except FileNotFoundError:
            pass
        return " 10:00:00 up %s,  0 users,  load average: 0.42, 0.31, 0.25" % up


def _persist(name):
    inner = getattr(fake.FakeDriver, name)

    def saved(self, *args, **kwargs):
        result = inner(self, *args, **kwargs)
        self._save()
        return result

    saved.__name__ = name
    return saved


for _name in ("spawn", "power_off", "power_on", "destroy", "unrescue", "finish_revert_migration"):
    setattr(LabDriver, _name, _persist(_name))
