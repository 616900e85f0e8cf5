package actions

import "strata/internal/fleet"

// Offer is an action that objects of one kind can have.
type Offer struct {
	Key   string // in the actions menu
	Name  string // as in Action.Name
	Title string
	Kind  fleet.Kind
	New   func(fleet.Ref) Action
}

// Offers lists every action there is. A new action is a file of its own and a line here.
func Offers() []Offer {
	return []Offer{
		{Key: "s", Name: "server-start", Title: "start server", Kind: fleet.KindServer, New: func(r fleet.Ref) Action { return StartServer{r.Source, r.Name} }},
	}
}
