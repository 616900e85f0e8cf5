package diagnose

import "slices"

// Rules returns all rules. A rule's place in the list means nothing.
func Rules() []Rule {
	return slices.Concat(
		stopRules(), serverRules(), computeRules(), linkRules(),
		nodeRules(), podRules(), podStartRules(), volumeRules(),
		heatRules(), smartRules(), counterRules(), filesystemRules(), memoryRules(), domainRules(), unitRules(), kernelRules(),
	)
}
