package cli

import (
	"fmt"
	"os"
	"os/user"
	"strings"

	"strata/internal/plain"
)

// noLogin is what the kernel says of a process that nobody logged in for.
const noLogin = "4294967295"

// who is the operator for the audit log: the account, who they were before sudo, and where they came from.
func (p *program) who() string {
	name := fmt.Sprintf("uid %d", os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if before := p.before(); before != "" && before != name {
		name += " (" + before + ")"
	}
	if from := strings.Fields(p.getenv("SSH_CONNECTION")); len(from) > 0 {
		name += " from " + from[0]
	}
	return plain.Text(name)
}

// before is the account that logged in, which sudo and su do not change: their word for it, else the kernel's.
func (p *program) before() string {
	if name := p.getenv("SUDO_USER"); name != "" {
		return name
	}
	b, err := os.ReadFile("/proc/self/loginuid")
	if id := strings.TrimSpace(string(b)); err == nil && id != "" && id != noLogin {
		if u, err := user.LookupId(id); err == nil {
			return u.Username
		}
		return "login uid " + id
	}
	return ""
}
