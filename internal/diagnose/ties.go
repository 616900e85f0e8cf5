package diagnose

// ties is which rules explain which, by their places among the rules.
type ties struct {
	causes [][]bool // causes[effect][cause]: whether one rule explains the other, directly or through rules between
	depth  []int    // how many rules there can be above a rule
}

// tie finds the ties of rules, of which none explains itself, through others either.
func tie(rules []Rule, byID map[string]int) *ties {
	direct := make([][]int, len(rules)) // by effect
	for cause := range rules {
		for _, name := range rules[cause].Explains {
			if effect, ok := byID[name]; ok {
				direct[effect] = append(direct[effect], cause)
			}
		}
	}
	t := &ties{causes: make([][]bool, len(rules)), depth: make([]int, len(rules))}
	for effect := range rules {
		t.climb(rules, direct, effect)
	}
	for effect := range rules {
		if rules[effect].Fold.Direct {
			clear(t.causes[effect])
			for _, cause := range direct[effect] {
				t.causes[effect][cause] = true
			}
		}
	}
	return t
}

// climb finds what is above a rule, after what is above that.
func (t *ties) climb(rules []Rule, direct [][]int, effect int) {
	if t.causes[effect] != nil {
		return
	}
	causes := make([]bool, len(rules))
	t.causes[effect] = causes
	for _, cause := range direct[effect] {
		t.climb(rules, direct, cause)
		causes[cause] = true
		t.depth[effect] = max(t.depth[effect], 1+t.depth[cause])
		if rules[cause].Fold.Gate {
			continue // what is above it has to come through it
		}
		for above, explains := range t.causes[cause] {
			causes[above] = causes[above] || explains
		}
	}
}
