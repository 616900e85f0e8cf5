package nova

import (
	"net/http"
	"slices"
)

// Flavor is a flavor of the fake cloud.
type Flavor struct {
	ID, Name               string
	VCPUs, RAMMiB, DiskGiB int
	Extra                  map[string]string
}

// AddFlavor adds or replaces a flavor. Servers that are there keep what they were made with.
func (f *Cloud) AddFlavor(one Flavor) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.addFlavor(one)
}

func (f *Cloud) addFlavor(one Flavor) *Flavor {
	i := slices.IndexFunc(f.flavors, func(have *Flavor) bool { return have.Name == one.Name })
	if i >= 0 {
		one.ID = or(one.ID, f.flavors[i].ID)
		f.flavors[i] = &one
		return &one
	}
	one.ID = or(one.ID, f.uuid())
	f.flavors = append(f.flavors, &one)
	return &one
}

func (f *Cloud) flavor(name string) *Flavor {
	for _, have := range f.flavors {
		if have.Name == name {
			return have
		}
	}
	return f.addFlavor(Flavor{Name: name, VCPUs: 2, RAMMiB: 4096, DiskGiB: 40})
}

func (f *Cloud) listFlavors(c *call) {
	var all []object
	for _, one := range f.flavors {
		all = append(all, f.viewFlavor(c, one))
	}
	answer(c.w, http.StatusOK, object{"flavors": all})
}

func (f *Cloud) showFlavor(c *call) {
	for _, one := range f.flavors {
		if one.ID == c.r.PathValue("id") {
			answer(c.w, http.StatusOK, object{"flavor": f.viewFlavor(c, one)})
			return
		}
	}
	fail(c.w, 404, "Flavor "+c.r.PathValue("id")+" could not be found.")
}

func (f *Cloud) viewFlavor(c *call, one *Flavor) object {
	v := object{
		"id": one.ID, "name": one.Name, "ram": one.RAMMiB, "disk": one.DiskGiB, "vcpus": one.VCPUs, "swap": "",
		"OS-FLV-EXT-DATA:ephemeral": 0, "OS-FLV-DISABLED:disabled": false, "os-flavor-access:is_public": true,
		"rxtx_factor": 1.0, "links": []any{},
	}
	if c.minor >= 61 {
		v["extra_specs"] = metadata(one.Extra)
	}
	if c.minor >= 75 {
		v["swap"] = 0
	}
	return v
}
