package prometheus

import (
	"fmt"
	"net"
	"strconv"
)

// metric gives the series that a machine has of a metric. With the function irate a counter's value is how fast it grows.
func (m *Machine) metric(name, function string) (all []sample) {
	host, _, err := net.SplitHostPort(m.Instance)
	if err != nil {
		host = m.Instance
	}
	add := func(job, port string) func(v float64, labels ...string) {
		instance := m.Instance
		if port != "" {
			instance = host + port
		}
		return func(v float64, labels ...string) {
			all = append(all, sample{labels: append([]string{"job", job, "instance", instance}, labels...), value: v})
		}
	}
	node, smart, libvirt := add("node", ""), add("smartctl", ":9633"), add("libvirt", ":9177")
	if name == "up" {
		up := 1.0
		if m.Down {
			up = 0
		}
		node(up)
		if m.Media >= 0 {
			smart(up)
		}
		if len(m.Domains) > 0 {
			libvirt(up)
		}
		return all
	}
	if m.Down && function != "last_over_time" {
		return nil
	}
	if m.machine(name, node) || m.things(name, node) {
		return all
	}
	if m.Media >= 0 {
		m.smart(name, smart)
	}
	for i, d := range m.Domains {
		domain(name, fmt.Sprintf("%08d-%s", i, m.Node), d, i%2 == 1, libvirt)
	}
	return all
}

// machine are the metrics with one value for the machine.
func (m *Machine) machine(name string, emit func(float64, ...string)) bool {
	figures := map[string]float64{
		"node_boot_time_seconds": float64(m.Boot.Unix()), "node_load1": m.Load, "node_load5": m.Load, "node_load15": m.Load,
		"node_memory_MemTotal_bytes": m.Memory, "node_memory_MemAvailable_bytes": m.Free, "node_memory_Cached_bytes": m.Free / 2, "node_memory_Dirty_bytes": 1 << 20,
		"node_memory_SwapTotal_bytes": 8 << 30, "node_memory_SwapFree_bytes": 6 << 30,
		"node_vmstat_pswpin": 2, "node_vmstat_pswpout": 4,
		"node_pressure_cpu_waiting_seconds_total": 0.1, "node_pressure_memory_waiting_seconds_total": 0.02, "node_pressure_memory_stalled_seconds_total": 0.01,
		"node_pressure_io_waiting_seconds_total": 0.05, "node_pressure_io_stalled_seconds_total": 0.04,
	}
	if v, ok := figures[name]; ok {
		emit(v)
		return true
	}
	switch name {
	case "node_uname_info":
		emit(1, "nodename", m.Node, "release", "6.1.0-42-amd64", "machine", "x86_64", "sysname", "Linux", "domainname", "(none)")
	case "node_os_info":
		emit(1, "pretty_name", "Debian GNU/Linux 12 (bookworm)", "id", "debian")
	case "node_dmi_info":
		emit(1, "system_vendor", "Dell Inc.", "product_name", "PowerEdge R650", "product_uuid", m.UUID)
	case "node_cpu_seconds_total":
		for cpu := range m.CPUs {
			emit(1-m.Busy, "cpu", strconv.Itoa(cpu), "mode", "idle")
			emit(0, "cpu", strconv.Itoa(cpu), "mode", "iowait")
			emit(0.01, "cpu", strconv.Itoa(cpu), "mode", "steal")
		}
	default:
		return false
	}
	return true
}

// things are the metrics with a value for each sensor, disk or filesystem.
func (m *Machine) things(name string, emit func(float64, ...string)) bool {
	temps := map[string]float64{"node_hwmon_temp_celsius": m.Celsius, "node_hwmon_temp_max_celsius": 84, "node_hwmon_temp_crit_celsius": 100, "node_hwmon_temp_crit_alarm_celsius": 0}
	if v, ok := temps[name]; ok {
		for i := 1; i <= 5; i++ {
			emit(v, "chip", "platform_coretemp_0", "sensor", "temp"+strconv.Itoa(i))
		}
		emit(v, "chip", "nvme_nvme0", "sensor", "temp1")
		return true
	}
	disks := map[string]float64{
		"node_disk_read_bytes_total": 1e6, "node_disk_written_bytes_total": 2e6, "node_disk_reads_completed_total": 10, "node_disk_writes_completed_total": 30,
		"node_disk_read_time_seconds_total": 0.01, "node_disk_write_time_seconds_total": 0.07, "node_disk_io_time_seconds_total": 0.25,
	}
	if v, ok := disks[name]; ok {
		for _, d := range []string{"nvme0n1", "sda", "sdb"} {
			emit(v, "device", d)
		}
		emit(0, "device", "loop0")
		return true
	}
	files := map[string]float64{
		"node_filesystem_size_bytes": 100 << 30, "node_filesystem_free_bytes": 60 << 30, "node_filesystem_avail_bytes": 55 << 30,
		"node_filesystem_files": 1e6, "node_filesystem_files_free": 9e5, "node_filesystem_readonly": 0, "node_filesystem_device_error": 0,
	}
	if v, ok := files[name]; ok {
		for i, mount := range m.Mounts {
			emit(v, "device", "/dev/sda"+strconv.Itoa(i+1), "fstype", "ext4", "mountpoint", mount)
		}
		emit(v, "device", "tmpfs", "fstype", "tmpfs", "mountpoint", "/run")
		return true
	}
	switch name {
	case "node_hwmon_sensor_label":
		for i := 1; i <= 5; i++ {
			emit(1, "chip", "platform_coretemp_0", "sensor", "temp"+strconv.Itoa(i), "label", "Core "+strconv.Itoa(i))
		}
		emit(1, "chip", "nvme_nvme0", "sensor", "temp1", "label", "Composite")
	case "node_hwmon_chip_names":
		emit(1, "chip", "platform_coretemp_0", "chip_name", "coretemp")
		emit(1, "chip", "nvme_nvme0", "chip_name", "nvme")
	case "node_disk_info":
		for _, d := range []string{"nvme0n1", "sda", "sdb"} {
			emit(1, "device", d, "model", "DISK "+d, "serial", m.Node+"-"+d)
		}
	default:
		return false
	}
	return true
}

func (m *Machine) smart(name string, emit func(float64, ...string)) {
	nvme := map[string]float64{
		"smartctl_device_smart_status": 1, "smartctl_device_smartctl_exit_status": 0, "smartctl_device_capacity_bytes": 512e9, "smartctl_device_power_on_seconds": 3600e3,
		"smartctl_device_power_cycle_count": 40, "smartctl_device_critical_warning": 0, "smartctl_device_available_spare": 100,
		"smartctl_device_available_spare_threshold": 10, "smartctl_device_percentage_used": 4, "smartctl_device_media_errors": m.Media, "smartctl_device_num_err_log_entries": 12,
	}
	if v, ok := nvme[name]; ok {
		emit(v, "device", "nvme0")
		if name != "smartctl_device_media_errors" && name != "smartctl_device_percentage_used" {
			emit(v, "device", "sda")
		} else {
			emit(0, "device", "sda") // as exporters do for a disk that has no such figure
		}
		return
	}
	switch name {
	case "smartctl_device":
		emit(1, "device", "nvme0", "interface", "nvme", "protocol", "NVMe", "model_name", "SAMSUNG MZVLB512HBJQ", "serial_number", m.Node+"-n")
		emit(1, "device", "sda", "interface", "sat", "protocol", "ATA", "model_name", "ST4000DM004", "serial_number", m.Node+"-a")
	case "smartctl_device_temperature":
		emit(m.Celsius, "device", "nvme0", "temperature_type", "current")
		emit(70, "device", "nvme0", "temperature_type", "drive_trip")
	case "smartctl_device_attribute":
		for _, a := range []struct {
			id  string
			raw float64
		}{{"5", 8}, {"188", 1 << 32}, {"194", 38}, {"197", 0}} {
			emit(a.raw, "device", "sda", "attribute_id", a.id, "attribute_value_type", "raw")
			emit(100, "device", "sda", "attribute_id", a.id, "attribute_value_type", "value")
		}
	}
}

// domain is what exporters tell of a domain. Some have its uuid on every metric, as Debian's, some on one of their own.
func domain(name, uuid, domain string, everywhere bool, emit func(float64, ...string)) {
	named := []string{"domain", domain}
	if everywhere {
		named = append(named, "uuid", uuid)
	}
	figures := map[string]float64{
		"libvirt_domain_info_virtual_cpus": 2, "libvirt_domain_info_maximum_memory_bytes": 4 << 30, "libvirt_domain_info_vstate": 1, "libvirt_domain_info_cpu_time_seconds_total": 0.5,
	}
	if v, ok := figures[name]; ok {
		emit(v, named...)
		return
	}
	switch name {
	case "libvirt_domain_info_meta":
		if !everywhere {
			emit(1, "domain", domain, "uuid", uuid, "instance_name", "web")
		}
	case "libvirt_domain_block_stats_read_bytes_total", "libvirt_domain_block_stats_write_bytes_total":
		emit(1e5, append(named, "target_device", "vdb")...)
		emit(2e5, append(named, "target_device", "vda")...)
	}
}
