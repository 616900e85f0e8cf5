package nova

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
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
		one.ID = cmp.Or(one.ID, f.flavors[i].ID)
		f.flavors[i] = &one
		return &one
	}
	one.ID = cmp.Or(one.ID, f.uuid())
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

// flavorOf answers 404 and returns -1 when there is no flavor of the path's id.
func (f *Cloud) flavorOf(c *call) int {
	id := c.r.PathValue("id")
	i := slices.IndexFunc(f.flavors, func(one *Flavor) bool { return one.ID == id })
	if i < 0 {
		fail(c.w, 404, "Flavor "+id+" could not be found.")
	}
	return i
}

func (f *Cloud) showExtraSpecs(c *call) {
	if i := f.flavorOf(c); i >= 0 {
		answer(c.w, http.StatusOK, object{"extra_specs": metadata(f.flavors[i].Extra)})
	}
}

// setExtraSpecs adds to the extra specs of a flavor. From microversion 2.86 on Nova looks at the values.
func (f *Cloud) setExtraSpecs(c *call) {
	if !c.admin() {
		forbidden(c.w, "os_compute_api:os-flavor-extra-specs:create")
		return
	}
	i := f.flavorOf(c)
	if i < 0 {
		return
	}
	var want struct {
		Extra map[string]string `json:"extra_specs"`
	}
	if err := json.NewDecoder(c.r.Body).Decode(&want); err != nil || len(want.Extra) == 0 {
		fail(c.w, 400, "Invalid input for field/attribute extra_specs.")
		return
	}
	for key, value := range want.Extra {
		_, err := strconv.ParseUint(value, 10, 63)
		if c.minor >= 86 && strings.HasPrefix(key, "quota:disk_") && err != nil {
			fail(c.w, 400, fmt.Sprintf("Validation failed; failed to parse value '%s' for extra spec '%s'", value, key))
			return
		}
	}
	f.changeFlavor(i, func(extra map[string]string) { maps.Copy(extra, want.Extra) })
	answer(c.w, http.StatusOK, object{"extra_specs": want.Extra})
}

func (f *Cloud) dropExtraSpec(c *call) {
	if !c.admin() {
		forbidden(c.w, "os_compute_api:os-flavor-extra-specs:delete")
		return
	}
	i := f.flavorOf(c)
	if i < 0 {
		return
	}
	key := c.r.PathValue("key")
	if _, ok := f.flavors[i].Extra[key]; !ok {
		fail(c.w, 404, fmt.Sprintf("Flavor %s has no extra specs with key %s.", f.flavors[i].ID, key))
		return
	}
	f.changeFlavor(i, func(extra map[string]string) { delete(extra, key) })
	answer(c.w, http.StatusOK, object{})
}

// changeFlavor puts a new flavor in the place of one: servers keep the one they were made with.
func (f *Cloud) changeFlavor(i int, change func(extra map[string]string)) {
	next := *f.flavors[i]
	next.Extra = metadata(next.Extra)
	change(next.Extra)
	f.flavors[i] = &next
}
