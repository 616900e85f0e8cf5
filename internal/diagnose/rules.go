package diagnose

import "slices"

// Rules returns all rules. A rule's place in the list means nothing.
func Rules() []Rule {
	all := slices.Concat(
		stopRules(), serverRules(), computeRules(), linkRules(),
		nodeRules(), podRules(), podStartRules(), volumeRules(),
		heatRules(), smartRules(), counterRules(), filesystemRules(), memoryRules(), domainRules(), unitRules(), kernelRules(), endpointRules(),
		bootRules(), waitRules(), overcommitRules(),
		hardwareRules(), panicRules(), restartRules(), stallRules(), spaceRules(), diskIORules(), deviceRules(),
		memoryRiskRules(), coolingRules(), smartLogRules(),
	)
	says := bewares()
	for i := range all {
		all[i].Beware = says[all[i].ID]
	}
	return all
}
