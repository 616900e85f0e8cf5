package connect

import "runtime"

// thisKind is what `uname -sm` says on a machine that can run this program.
func thisKind() string {
	arch := map[string]string{"amd64": "x86_64", "arm64": "aarch64", "riscv64": "riscv64", "ppc64le": "ppc64le", "s390x": "s390x"}[runtime.GOARCH]
	return "Linux " + arch
}
