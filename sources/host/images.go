package host

import (
	"cmp"
	"os"
	"strings"

	"strata/internal/fleet"
	"strata/sources/tree"
)

// newestKernel finds the newest kernel in /boot and whether its initramfs is there: dracut's initramfs-RELEASE.img or
// Debian's initrd.img-RELEASE. It is nil where /boot holds no kernel, as in a container.
func newestKernel(at tree.Tree, n *notes) *fleet.KernelImage {
	const boot = "/boot"
	names, err := at.List(boot)
	if err != nil && !os.IsNotExist(err) {
		n.set("kernels", "kernels: "+boot+": "+reason(err))
		return nil
	}
	n.set("kernels", "")
	var newest *fleet.KernelImage
	whole := map[string]bool{}
	for _, name := range names {
		release, ok := strings.CutPrefix(name, "vmlinuz-")
		if !ok || release == "" || strings.HasPrefix(release, "0-rescue") {
			continue
		}
		k := &fleet.KernelImage{Release: release, Image: boot + "/" + name}
		for _, file := range []string{"initramfs-" + release + ".img", "initrd.img-" + release, "initrd-" + release} {
			if info, err := os.Stat(at.Path(boot + "/" + file)); err == nil {
				k.Initramfs, k.Bytes = boot+"/"+file, fleet.Some(uint64(max(0, info.Size())))
				break
			}
		}
		whole[release] = k.Whole()
		if newest == nil || compareVersions(newest.Release, release) < 0 {
			newest = k
		}
	}
	if newest == nil {
		return nil
	}
	newest.Modules = at.Exists("/lib/modules/"+newest.Release) || at.Exists("/usr/lib/modules/"+newest.Release)
	for release, is := range whole {
		newest.Others = newest.Others || is && release != newest.Release
	}
	return newest
}

// compareVersions orders releases of kernels as people do: numbers by their value.
func compareVersions(a, b string) int {
	digits := func(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }
	for a != "" && b != "" {
		n, m := digits(a), digits(b)
		if n == 0 || m == 0 {
			if a[0] != b[0] {
				return cmp.Compare(a[0], b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		x, y := strings.TrimLeft(a[:n], "0"), strings.TrimLeft(b[:m], "0")
		if c := cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y)); c != 0 {
			return c
		}
		a, b = a[n:], b[m:]
	}
	return cmp.Compare(len(a), len(b))
}
