package actions

import "strata/internal/fleet"

// serverOffers are the actions on Nova servers.
func serverOffers() []Offer {
	return []Offer{
		offer[StartServer](Offer{
			Key: "s", Title: "start server", Kind: fleet.KindServer,
			New: plainly(func(r fleet.Ref) StartServer { return StartServer{r.Source, r.Name} }),
		}),
	}
}
