package actions

import "strata/internal/fleet"

// serverOffers are the actions on Nova servers and flavors.
func serverOffers() []Offer {
	return []Offer{
		offer[StartServer](Offer{
			Key: "s", Title: "start server", Kind: fleet.KindServer,
			New: plainly(func(r fleet.Ref) StartServer { return StartServer{r.Source, r.Name} }),
		}),
		offer[StopServer](Offer{
			Key: "t", Title: "stop server", Kind: fleet.KindServer,
			New: plainly(func(r fleet.Ref) StopServer { return StopServer{r.Source, r.Name} }),
		}),
		offer[RebootServer](Offer{
			Key: "r", Title: "reboot server", Kind: fleet.KindServer, New: newReboot,
			Params: []Param{{
				Name: "kind", Help: "soft asks the guest, hard cuts its power",
				Suggest: func(*fleet.Snapshot, fleet.Ref) []string { return []string{"soft", "hard"} },
			}},
		}),
		offer[ReadConsole](Offer{
			Key: "c", Title: "read its console", Kind: fleet.KindServer, New: newConsole,
			Params: []Param{{
				Name: "lines", Help: "how many of the last lines, 1 to 10000",
				Suggest: func(*fleet.Snapshot, fleet.Ref) []string { return []string{"100", "1000", "10000"} },
			}},
		}),
		offer[LockServer](Offer{
			Key: "l", Title: "lock server", Kind: fleet.KindServer,
			Params: []Param{{Name: "reason", Help: "why, for those who find it locked; empty gives none"}},
			New:    func(r fleet.Ref, args Args) (Action, error) { return LockServer{r.Source, r.Name, args["reason"]}, nil },
		}),
		offer[UnlockServer](Offer{
			Key: "n", Title: "unlock server", Kind: fleet.KindServer,
			New: plainly(func(r fleet.Ref) UnlockServer { return UnlockServer{r.Source, r.Name} }),
		}),
		offer[MigrateServer](Offer{
			Key: "m", Title: "live-migrate server", Kind: fleet.KindServer, Params: []Param{hostParam()},
			New: func(r fleet.Ref, args Args) (Action, error) {
				return MigrateServer{r.Source, r.Name, chosenHost(args)}, nil
			},
		}),
		offer[EvacuateServer](Offer{
			Key: "v", Title: "evacuate server from a host that is down", Kind: fleet.KindServer, Params: []Param{hostParam()},
			New: func(r fleet.Ref, args Args) (Action, error) {
				return EvacuateServer{r.Source, r.Name, chosenHost(args)}, nil
			},
		}),
		offer[ResetServerState](Offer{
			Key: "x", Title: "reset its state", Kind: fleet.KindServer, New: newResetState,
			Params: []Param{{
				Name: "state", Help: "active or error: what nova is to believe",
				Suggest: func(*fleet.Snapshot, fleet.Ref) []string { return []string{"active", "error"} },
			}},
		}),
		offer[FlavorQuota](Offer{
			Key: "i", Title: "set disk limits", Kind: fleet.KindFlavor, Params: quotaParams(), New: newFlavorQuota,
		}),
	}
}
