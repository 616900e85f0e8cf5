package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"strata/internal/diagnose"
	"strata/internal/fleet"
)

func (p *program) explainVerb() *cobra.Command {
	rules := diagnose.Rules()
	slices.SortFunc(rules, func(a, b diagnose.Rule) int { return strings.Compare(a.ID, b.ID) })
	return &cobra.Command{
		Use:   "explain [RULE]",
		Short: "Tell what a rule means and what it rests on",
		Long:  `explain prints what a rule finds, on which evidence, and when it is wrong. Without RULE it lists all rules.`,
		Example: `  strata explain
  strata explain NOVA-01`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			var ids []cobra.Completion
			for _, r := range rules {
				ids = append(ids, cobra.CompletionWithDesc(r.ID, r.Title))
			}
			return ids, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				for _, r := range rules {
					fmt.Fprintf(p.stdout, "%-9s  %-8s  %-10s  %s\n", r.ID, r.Severity, r.Kind, r.Title)
				}
				return nil
			}
			i := slices.IndexFunc(rules, func(r diagnose.Rule) bool { return strings.EqualFold(r.ID, args[0]) })
			if i < 0 {
				return &exit{exitUsage, &fleet.Trouble{Doing: fmt.Sprintf("there is no rule %q", args[0]), Fix: "strata explain lists them"}}
			}
			p.explain(rules[i])
			return nil
		},
	}
}

func (p *program) explain(r diagnose.Rule) {
	say := func(what, text string) {
		if text != "" {
			fmt.Fprintf(p.stdout, "  %-10s %s\n", what, text)
		}
	}
	fmt.Fprintf(p.stdout, "%s: %s\n", r.ID, r.Title)
	say("judges", string(r.Kind)+" objects")
	say("severity", fmt.Sprintf("%s, unless the evidence says more", r.Severity))
	say("rests on", r.Source)
	say("beware", r.Beware)
	if r.Hold > 0 {
		say("shown", "once it lasts "+r.Hold.String())
	}
	if r.Clear > 0 {
		say("cleared", "once it is over for "+r.Clear.String())
	}
	say("explains", strings.Join(r.Explains, ", "))
	say("repairs", strings.Join(r.Remedies, ", "))
}
