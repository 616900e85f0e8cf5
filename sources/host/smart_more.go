package host

import (
	"strconv"
	"strings"

	"strata/internal/fleet"
)

// maxErrors is how many entries of an error log are kept.
const maxErrors = 4

// nvmeErrors reads the entries of the error log out of smartctl's text, which all versions print alike:
// "Num ErrCount SQId CmdId Status ...", the status with its phase bit. Those without an error are empty.
func nvmeErrors(text []string) (all []fleet.NVMeError) {
	in := false
	for _, line := range text {
		f := strings.Fields(line)
		switch {
		case len(f) > 4 && f[0] == "Num" && f[1] == "ErrCount" && f[4] == "Status":
			in = true
			continue
		case !in || len(f) < 5 || len(all) == maxErrors:
			in = false
			continue
		}
		count, err := strconv.ParseUint(f[1], 10, 64)
		queue, err2 := strconv.ParseUint(f[2], 10, 16)
		status, err3 := strconv.ParseUint(f[4], 0, 16)
		if err != nil || err2 != nil || err3 != nil {
			in = false
			continue
		}
		all = append(all, fleet.NVMeError{Count: count, Queue: int(queue), Status: int(status >> 1)})
	}
	return all
}

// ataOnly is what an ATA disk's attributes tell besides errors.
func ataOnly(table []ataAttribute) *fleet.SmartATA {
	a := &fleet.SmartATA{}
	for i := range table {
		at := &table[i]
		switch {
		case at.Failed != "now" && at.Failed != "FAILING_NOW":
		case at.ID == "190" || at.ID == "194": // of a temperature that is heat, neither age nor a failure to come
		case at.Flags.Prefailure == "true":
			a.Failing = append(a.Failing, at.Name)
		default:
			a.Worn = append(a.Worn, at.Name)
		}
		if at.ID == "193" {
			if v, ok := at.count(193); ok && v < 1<<31 {
				a.LoadCycles = fleet.Some(int(v))
			}
		}
	}
	return a
}

// lastTest is the newest line of the self-test log, nil where that was not told.
func (j *smartJSON) lastTest() *fleet.SelfTest {
	log := j.Tests.Standard
	switch {
	case len(log.Table) > 0:
		last := log.Table[0]
		return &fleet.SelfTest{Kind: last.Type.String, Says: string(last.Status.String), Passed: last.Status.Passed.truth(), Hours: last.Hours.int()}
	case log.Count == "0":
		return &fleet.SelfTest{}
	}
	return nil
}
