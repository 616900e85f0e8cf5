package connect

import (
	"errors"
	"strings"

	"strata/internal/sh"
)

// Why is the reason that a conversation ended for: ssh's own words, if it said any.
func Why(t *sh.Talk, err error) error {
	if says := sshSays(t.Stderr()); says != "" {
		return errors.New(says)
	}
	return err
}

// What ssh says of host keys, in words that tell an unknown one from a changed one: its last line is the same for both.
const (
	keyUnknown = "Host key verification failed: the key of this machine is not known here yet"
	keyChanged = "Host key verification failed: the key is another one than the one that is known here"
	keyOf      = ", of "
)

// sshSays is the telling line of what ssh printed.
func sshSays(stderr string) string {
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	last := strings.TrimSpace(lines[len(lines)-1])
	switch {
	case !strings.HasPrefix(last, "Host key verification failed"):
		return last
	case strings.Contains(stderr, "IDENTIFICATION HAS CHANGED"):
		// "Host key for [10.0.0.9]:2222 has changed": the name by which it is known, which an alias does not tell.
		if _, rest, ok := strings.Cut(stderr, "Host key for "); ok {
			if name, _, ok := strings.Cut(rest, " has changed"); ok && !strings.ContainsAny(name, " \n") {
				return keyChanged + keyOf + name
			}
		}
		return keyChanged
	}
	return keyUnknown
}

// Fix is the one thing to do about what keeps ssh from the machine. Nothing here ever asks a question: the agent's ssh
// runs in batch mode, so what needs an answer is settled once, by hand.
func (r Remote) Fix(says string) string {
	has := func(any ...string) bool {
		for _, s := range any {
			if strings.Contains(says, s) {
				return true
			}
		}
		return false
	}
	by, host := sh.Quote("ssh", r.Destination, "true"), r.host()
	switch {
	case has(keyUnknown):
		return by + " in a terminal, once: compare the fingerprint with the machine's own and say yes"
	case has(keyChanged):
		if _, name, ok := strings.Cut(says, keyChanged+keyOf); ok {
			host = name
		}
		return sh.Quote("ssh-keygen", "-R", host) + " once you know why it changed (a new installation, or somebody in between), then " + by
	case has("Permission denied (") && has("password", "keyboard-interactive"):
		return sh.Quote("ssh-copy-id", r.Destination) + ", which asks for the password once"
	case has("Permission denied ("):
		return "ssh-add, if your key has a passphrase; else put your public key into ~/.ssh/authorized_keys there; " + sh.Quote("ssh", "-v", r.Destination, "true") + " shows which keys were tried"
	case has("Too many authentication failures"):
		return "name its key in ~/.ssh/config: Host " + host + " with IdentityFile and IdentitiesOnly yes"
	case has("sudo:"):
		return "let sudo run the agent there without a password: visudo -f /etc/sudoers.d/strata, " + r.user() + " ALL=(root) NOPASSWD: /home/" + r.user() + "/.cache/strata/*/strata"
	case has("Could not resolve hostname", "Name or service not known"):
		return "name its address: a Host " + host + " with HostName in ~/.ssh/config, or ssh: user@ADDRESS in the configuration"
	case has("Connection refused"):
		return "start sshd there (systemctl start ssh, or sshd), or name its Port in ~/.ssh/config"
	case has("timed out"):
		return "see whether it is on and its port is open: " + sh.Quote("nc", "-vz", host, "22")
	case has("No route to host", "Network is unreachable"):
		return "see the way to it: " + sh.Quote("ip", "route", "get", host)
	}
	return "try: " + sh.Quote("ssh", "-o", "BatchMode=yes", r.Destination, "true")
}

// host is the machine in the destination, user who is logged in as.
func (r Remote) host() string {
	to := strings.TrimPrefix(r.Destination, "ssh://")
	return to[strings.LastIndex(to, "@")+1:]
}

func (r Remote) user() string {
	to := strings.TrimPrefix(r.Destination, "ssh://")
	if at := strings.LastIndex(to, "@"); at > 0 {
		return to[:at]
	}
	return "USER"
}
