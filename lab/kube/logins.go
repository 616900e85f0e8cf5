package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"os"
	"strings"
)

const kubeconfig = `apiVersion: v1
kind: Config
clusters:
- name: kubelab
  cluster: {server: "%s", certificate-authority: "%s"}
users:
- name: %s
  user: {token: "%s"}
contexts:
- name: kubelab
  context: {cluster: kubelab, user: %s}
current-context: kubelab
`

// writeLogins makes the key of service accounts, the tokens of the users admin, viewer (group lab:viewers) and nobody,
// and a kubeconfig for each. What an earlier start made stays. It returns the token of admin.
func (l *lab) writeLogins() (admin string) {
	if _, err := os.Stat(l.file("sa.key")); err != nil {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		must(err)
		block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
		must(os.WriteFile(l.file("sa.key"), pem.EncodeToMemory(block), 0o600))
	}
	users := []struct{ name, group string }{
		{"admin", "system:masters"}, {"viewer", "lab:viewers"}, {"nobody", "lab:nobody"},
	}
	if _, err := os.Stat(l.file("tokens.csv")); err != nil {
		var csv strings.Builder
		for _, u := range users {
			fmt.Fprintf(&csv, "%s,%s,%s,\"%s\"\n", newToken(), u.name, u.name, u.group)
		}
		must(os.WriteFile(l.file("tokens.csv"), []byte(csv.String()), 0o600))
	}
	csv, err := os.ReadFile(l.file("tokens.csv"))
	must(err)
	for line := range strings.Lines(string(csv)) {
		words := strings.SplitN(line, ",", 3)
		token, name := words[0], words[1]
		if name == "admin" {
			admin = token
		}
		text := fmt.Sprintf(kubeconfig, l.server, l.file("certs/apiserver.crt"), name, token, name)
		must(os.WriteFile(l.file("kubeconfig-"+name), []byte(text), 0o600))
	}
	return admin
}

func newToken() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
