package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"strata/internal/config"
	"strata/internal/fleet"
)

func (p *program) configVerb() *cobra.Command {
	verb := &cobra.Command{
		Use:   "config",
		Short: "Check the configuration, or write one to start from",
		Long: `strata needs no configuration. What it reads is ` + "`$XDG_CONFIG_HOME/strata/config.yaml`" + `, mostly
~/.config/strata/config.yaml, or the file of --config. Flags beat it.`,
		Example: `  strata config init              write a commented configuration
  strata config init -            print it
  strata config check             check the one that is read
  strata config check ./new.yaml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	verb.AddCommand(
		&cobra.Command{
			Use:   "check [FILE]",
			Short: "Check the configuration; exit code 1 tells that it is wrong",
			Example: `  strata config check
  strata config check ./new.yaml`,
			Args: cobra.MaximumNArgs(1),
			RunE: func(_ *cobra.Command, args []string) error { return p.checkConfig(args) },
		},
		&cobra.Command{
			Use:   "init [FILE]",
			Short: "Write a commented configuration with the defaults",
			Example: `  strata config init
  strata config init -            print it
  strata config init ./new.yaml`,
			Args: cobra.MaximumNArgs(1),
			RunE: func(_ *cobra.Command, args []string) error { return failed(p.initConfig(args)) },
		},
	)
	return verb
}

func (p *program) checkConfig(args []string) error {
	path := p.configPath(args)
	_, err := config.Load(path, true, p.getenv)
	var fault *config.Fault
	switch {
	case errors.As(err, &fault):
		fmt.Fprintln(p.stderr, fault.Show())
		return &exit{code: exitFailed}
	case len(args) == 0 && errors.Is(err, fs.ErrNotExist):
		_, err = fmt.Fprintf(p.stdout, "%s is not there: the defaults count\n", path)
	case err == nil:
		_, err = fmt.Fprintf(p.stdout, "%s is good\n", path)
	}
	return failed(err)
}

func (p *program) initConfig(args []string) error {
	path := p.configPath(args)
	if path == "-" {
		_, err := io.WriteString(p.stdout, config.Example)
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("making the folder of the configuration: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return &fleet.Trouble{
			Doing: path + " is there already and stays as it is",
			Fix:   "strata config init - prints the example",
		}
	}
	if err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	_, err = f.WriteString(config.Example)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	_, err = fmt.Fprintf(p.stdout, "wrote %s\n", path)
	return err
}

func (p *program) configPath(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return config.Path(p.getenv)
}
