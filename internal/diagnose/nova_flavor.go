package diagnose

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"strata/internal/fleet"
)

func flavorRules() []Rule {
	// Both are Info: a setting that does nothing is a wrong belief, not a fault.
	return []Rule{{
		ID: "NOVA-10", Title: "extra specs that do nothing", Kind: fleet.KindFlavor, Severity: fleet.Info,
		Source: "nova/api/validation/extra_specs: hw.py and quota.py list the keys there are; before microversion 2.86 nova takes any",
		Judge:  on(idleSpecs),
	}, {
		ID: "NOVA-11", Title: "server has its flavor as it was", Kind: fleet.KindServer, Severity: fleet.Info,
		Source: "nova doc/source/admin/flavors.rst: a server keeps the flavor it was made with until it is resized or rebuilt anew",
		Reads:  Reads{Around: []fleet.Kind{fleet.KindFlavor}}, Judge: on(oldFlavor),
	}}
}

// specKeys are the keys that nova knows below hw: and quota:, up to its release of 2025.
func specKeys() []string {
	return []string{
		"hw:boot_menu", "hw:cpu_cores", "hw:cpu_dedicated_mask", "hw:cpu_max_cores", "hw:cpu_max_sockets", "hw:cpu_max_threads", "hw:cpu_policy",
		"hw:cpu_realtime", "hw:cpu_realtime_mask", "hw:cpu_sockets", "hw:cpu_thread_policy", "hw:cpu_threads", "hw:emulator_threads_policy",
		"hw:ephemeral_encryption", "hw:ephemeral_encryption_format", "hw:hide_hypervisor_id", "hw:locked_memory", "hw:max_cpu_cores",
		"hw:max_cpu_sockets", "hw:max_cpu_threads", "hw:maxphysaddr_bits", "hw:maxphysaddr_mode", "hw:mem_encryption", "hw:mem_encryption_model",
		"hw:mem_page_size", "hw:numa_nodes", "hw:pci_numa_affinity_policy", "hw:pmem", "hw:pmu", "hw:redirected_usb_ports", "hw:serial_port_count",
		"hw:sound_model", "hw:tpm_model", "hw:tpm_secret_security", "hw:tpm_version", "hw:usb_model", "hw:vif_multiqueue_enabled",
		"hw:viommu_model", "hw:virtio_packed_ring", "hw:watchdog_action",
		"quota:cpu_limit", "quota:cpu_period", "quota:cpu_quota", "quota:cpu_reservation", "quota:cpu_shares", "quota:cpu_shares_level",
		"quota:cpu_shares_share", "quota:disk_io_limit", "quota:disk_io_reservation", "quota:disk_io_shares_level", "quota:disk_io_shares_share",
		"quota:disk_read_bytes_sec", "quota:disk_read_iops_sec", "quota:disk_total_bytes_sec", "quota:disk_total_iops_sec",
		"quota:disk_write_bytes_sec", "quota:disk_write_iops_sec", "quota:memory_limit", "quota:memory_reservation", "quota:memory_shares_level",
		"quota:memory_shares_share", "quota:vif_inbound_average", "quota:vif_inbound_burst", "quota:vif_inbound_peak", "quota:vif_limit",
		"quota:vif_outbound_average", "quota:vif_outbound_burst", "quota:vif_outbound_peak", "quota:vif_reservation", "quota:vif_shares_level",
		"quota:vif_shares_share",
	}
}

// idle reports whether a key is in a name space of nova's and not among its keys.
func idle(key string) bool {
	if !strings.HasPrefix(key, "hw:") && !strings.HasPrefix(key, "quota:") {
		return false
	}
	for _, numbered := range [...]string{"hw:numa_cpus.", "hw:numa_mem."} {
		if n, ok := strings.CutPrefix(key, numbered); ok && n != "" && strings.Trim(n, "0123456789") == "" {
			return false
		}
	}
	return !slices.Contains(specKeys(), key)
}

// instead tells where a setting belongs that people look for in a flavor.
func instead(key string) string {
	switch key {
	case "hw:disk_bus", "hw:cdrom_bus", "hw:scsi_model", "hw:vif_model", "hw:video_model", "hw:qemu_guest_agent", "hw:machine_type":
		return " (that is the image property " + strings.Replace(key, ":", "_", 1) + ")"
	case "hw:cache_mode", "hw:disk_cachemodes":
		return " (that is disk_cachemodes under [libvirt] in nova.conf)"
	}
	return ""
}

func idleSpecs(_ *fleet.Snapshot, f *fleet.Flavor) Verdict {
	if f.Extra == nil {
		return Verdict{State: CannotTell, Missing: []string{"its extra specs, which admins see: openstack flavor show " + f.ID + " -c properties"}}
	}
	var keys []string
	verdict := Verdict{State: OK}
	for _, key := range slices.Sorted(maps.Keys(f.Extra)) {
		if idle(key) {
			keys = append(keys, sentence(key)+instead(key))
			verdict.Because = append(verdict.Because, because(f, time.Time{}, "nova flavors extra_specs", "%s=%s", sentence(key), sentence(f.Extra[key])))
		}
	}
	if len(keys) > 0 {
		verdict.State = Bad
		verdict.Says = fmt.Sprintf("flavor %s has extra specs that nova does not heed: %s", cmp.Or(f.Name, f.ID), names(keys))
	}
	return verdict
}

// flavorOf is the flavor that a server was made with, as it is now.
func flavorOf(s *fleet.Snapshot, v *fleet.Server) *fleet.Flavor {
	p, ok := s.Part(v.Source, fleet.KindFlavor.Scope())
	if !ok {
		return nil
	}
	for _, o := range p.Facts {
		if f, ok := o.(*fleet.Flavor); ok && f.Made(v) {
			return f
		}
	}
	return nil
}

func oldFlavor(s *fleet.Snapshot, v *fleet.Server) Verdict {
	copied := &v.Flavor
	f := flavorOf(s, v)
	switch {
	case copied.Name == "" && copied.ID == "":
		return Verdict{State: CannotTell, Missing: []string{"its flavor: openstack server show " + v.ID + " -c flavor"}}
	case f == nil:
		return Verdict{State: CannotTell, Missing: []string{"flavor " + cmp.Or(copied.Name, copied.ID) + ", which is gone or was not seen: openstack flavor list --all"}}
	case copied.Extra == nil || f.Extra == nil:
		return Verdict{State: CannotTell, Missing: []string{"the extra specs of the server's copy and of the flavor: openstack server show " + v.ID + " -c flavor; openstack flavor show " + f.ID}}
	case maps.Equal(copied.Extra, f.Extra):
		return Verdict{State: OK}
	}
	keys := slices.Collect(maps.Keys(copied.Extra))
	for key := range f.Extra {
		if _, both := copied.Extra[key]; !both {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	verdict := Verdict{State: Bad}
	var differ []string
	for _, key := range keys {
		was, had := copied.Extra[key]
		now, has := f.Extra[key]
		if had == has && was == now {
			continue
		}
		differ = append(differ, sentence(key))
		verdict.Because = append(verdict.Because, because(v, time.Time{}, "nova servers/detail flavor, flavors extra_specs", "%s: server %s, flavor %s", sentence(key), specOr(was, had), specOr(now, has)))
	}
	verdict.Says = fmt.Sprintf("%s has its flavor %s as it was before %s changed: nova never updates a server, a resize takes the new one", v.Name, cmp.Or(f.Name, f.ID), names(differ))
	return verdict
}

func specOr(value string, is bool) string {
	if !is {
		return "without"
	}
	return sentence(value)
}
