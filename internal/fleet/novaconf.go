package fleet

import "time"

// ResumeFlag is the setting of nova-compute that has guests which ran before a boot of their host started after it.
const ResumeFlag = "resume_guests_state_on_host_boot"

// NovaConf is what the settings files of nova-compute on a machine say of ResumeFlag. They hold passwords: nothing else of
// them is kept.
type NovaConf struct {
	// File is the one that sets it, or the first that there is.
	File string `json:"file"`
	// Resume is missing where no file sets it: then Nova takes false.
	Resume  Opt[bool] `json:"resumeGuests"`
	Changed time.Time `json:"changed,omitzero"` // when File was written last
	Err     string    `json:"err,omitempty"`    // why it is not known
}

// Says is how the flag stands, in the words of the file.
func (c *NovaConf) Says() string {
	switch {
	case c.Err != "":
		return "not known: " + c.Err
	case !c.Resume.OK:
		return ResumeFlag + " is not set in " + c.File + ", and false by default"
	case c.Resume.V:
		return ResumeFlag + " is true in " + c.File
	}
	return ResumeFlag + " is false in " + c.File
}
