package diagnose

import "slices"

// Rules returns all rules. A rule's place in the list means nothing.
func Rules() []Rule {
	all := slices.Concat(
		stopRules(), syncRules(), serverRules(), computeRules(), linkRules(),
		nodeRules(), podRules(), podStartRules(), jobRules(), volumeRules(),
		heatRules(), smartRules(), counterRules(), filesystemRules(), memoryRules(), domainRules(), unitRules(), kernelRules(), endpointRules(),
		bootRules(), waitRules(), overcommitRules(), savingRules(),
		resumeRules(), resizeRules(), restartRules(), hoursRules(), flavorRules(), lossRules(), argoRules(),
		hardwareRules(), panicRules(), machineRestartRules(), stallRules(), spaceRules(), diskIORules(), deviceRules(),
		memoryRiskRules(), coolingRules(), smartLogRules(),
	)
	says, words := bewares(), shorts()
	for i := range all {
		all[i].Beware, all[i].Short = says[all[i].ID], words[all[i].ID]
	}
	return all
}
