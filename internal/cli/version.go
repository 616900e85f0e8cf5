package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set at link time: -ldflags '-X strata/internal/cli.version=1.2.3'. Nothing else writes it.
var version string

// build says what this binary was made from.
type build struct{ Version, Commit, Go string }

// versionOf reads what the linker and the go command left in the binary.
func versionOf() build {
	b := build{Version: version, Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b.named()
	}
	if b.Version == "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version
	}
	dirty := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			b.Commit = s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = " with changes"
		}
	}
	if b.Commit != "" {
		b.Commit += dirty
	}
	return b.named()
}

func (b build) named() build {
	if b.Version == "" {
		b.Version = "devel"
	}
	if b.Commit == "" {
		b.Commit = "unknown"
	}
	return b
}

// userAgent is the User-Agent of strata's own requests.
func userAgent() string { return "strata/" + versionOf().Version }

func (p *program) versionVerb() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Say which strata this is",
		Example: "  strata version",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			b := versionOf()
			_, err := fmt.Fprintf(p.stdout, "strata %s\ncommit %s\n%s %s/%s\n", b.Version, b.Commit, b.Go, runtime.GOOS, runtime.GOARCH)
			return failed(err)
		},
	}
}
