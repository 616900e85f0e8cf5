package incident

import (
	"embed"
	"encoding/csv"
	"fmt"
	"time"

	"strata/internal/fake/nova"
)

// The names of the incident.
const (
	hostCompute, hostQuiet = "compute", "compute2"

	workerOneID = "6c59b812-2d8d-4da5-92d6-6bbe527926d6"
	workerTwoID = "61b0f46e-651b-4564-bc37-0185ff7f18b2"

	day = 24 * time.Hour
	// upFirst is how long compute and its neighbour have been up at first.
	upFirst = 97*day + 5*time.Hour + 12*time.Minute
	// lastStop is how long before now Nova stopped the workers the last time, and lastStart when an operator started them.
	lastStop, lastStart = 3*day + 2*time.Hour, 3*day + time.Hour + 19*time.Minute
)

// history holds the actions that Nova recorded for k8s-worker-1, in UTC, and who did them: nobody is Nova itself.
//
//go:embed history.csv
var history embed.FS

func furnishCloud(cloud *nova.Cloud, now time.Time) error {
	cloud.AddHost(hostCompute, now.Add(-upFirst))
	cloud.SetHostSize(hostCompute, 4, 7683)
	cloud.AddHost(hostQuiet, now.Add(-upFirst-20*time.Minute))
	cloud.SetHostSize(hostQuiet, 16, 64216)
	for _, f := range []nova.Flavor{
		{Name: "k8s.worker", VCPUs: 2, RAMMiB: 3072, DiskGiB: 60, Extra: map[string]string{
			"quota:disk_total_bytes_sec": "209715200", "quota:disk_total_iops_sec": "2500",
			"hw:disk_bus": "virtio", "hw:cache_mode": "none", // as on the day; nova heeds neither
		}},
		{Name: "m1.small", VCPUs: 1, RAMMiB: 2048, DiskGiB: 20},
		{Name: "m1.medium", VCPUs: 2, RAMMiB: 4096, DiskGiB: 40},
		{Name: "m1.large", VCPUs: 4, RAMMiB: 8192, DiskGiB: 80},
	} {
		cloud.AddFlavor(f)
	}
	past, err := readHistory(now.Add(-lastStop))
	if err != nil {
		return err
	}
	for _, w := range []nova.Server{
		{ID: workerOneID, Name: "k8s-worker-1", Number: 0x1c, IPs: []string{"192.168.100.44", "10.0.0.28"}},
		{ID: workerTwoID, Name: "k8s-worker-2", Number: 0x1d, IPs: []string{"192.168.100.29", "10.0.0.107"}},
	} {
		w.Host, w.Flavor, w.Project, w.User, w.Created = hostCompute, "k8s.worker", "admin", "admin", past[0].at
		cloud.AddServer(w)
	}
	for _, d := range past[1:] {
		cloud.AddAction(workerOneID, d.action, d.by, d.at)
	}
	cloud.AddAction(workerTwoID, "stop", "", now.Add(-lastStop))
	for _, id := range []string{workerOneID, workerTwoID} {
		cloud.AddAction(id, "start", "admin", now.Add(-lastStart))
	}
	for i, s := range []struct{ name, flavor string }{
		{"web-1", "m1.medium"},
		{"web-2", "m1.medium"},
		{"web-3", "m1.medium"},
		{"registry", "m1.medium"},
		{"ci-runner-1", "m1.large"},
		{"ci-runner-2", "m1.large"},
		{"git", "m1.large"},
		{"bastion", "m1.small"},
		{"dns", "m1.small"},
		{"vpn", "m1.small"},
		{"mail", "m1.medium"},
		{"backup", "m1.medium"},
	} {
		cloud.AddServer(nova.Server{
			Name: s.name, Number: 0x21 + i, Flavor: s.flavor, Host: hostQuiet, IPs: []string{fmt.Sprintf("10.0.0.%d", 40+i)},
			Created: now.Add(-time.Duration(12+9*i) * day),
		})
	}
	return nil
}

// deed is one action of the past.
type deed struct {
	action, by string
	at         time.Time
}

// readHistory returns what was recorded, oldest first, moved so that the last happened at the given time.
func readHistory(last time.Time) ([]deed, error) {
	file, err := history.Open("history.csv")
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // nothing is written
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("reading the history of k8s-worker-1: %w", err)
	}
	all := make([]deed, 0, len(rows))
	for _, row := range rows[1:] {
		at, err := time.Parse("2006-01-02T15:04:05", row[1])
		if err != nil {
			return nil, fmt.Errorf("reading the history of k8s-worker-1: %w", err)
		}
		all = append(all, deed{action: row[0], by: row[2], at: at})
	}
	shift := last.Sub(all[len(all)-1].at)
	for i := range all {
		all[i].at = all[i].at.Add(shift)
	}
	return all, nil
}
