// Strata is a cockpit for a small private cloud: it shows its layers at once, names causes, and repairs.
package main

import (
	"os"

	"strata/internal/cli"
)

func main() {
	os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
