package actions

import (
	"time"

	"strata/internal/fleet"
)

// domainOffers are the actions on libvirt domains.
func domainOffers() []Offer {
	const kind = fleet.KindDomain
	return []Offer{
		offer[StartDomain](Offer{
			Key: "s", Title: "start", Kind: kind,
			New: plainly(func(r fleet.Ref) StartDomain { return StartDomain{r.Source, r.Name} }),
		}),
		offer[ShutdownDomain](Offer{
			Key: "h", Title: "shut down", Kind: kind,
			New: plainly(func(r fleet.Ref) ShutdownDomain { return ShutdownDomain{r.Source, r.Name} }),
		}),
		offer[DestroyDomain](Offer{
			Key: "D", Title: "destroy: end it at once", Kind: kind,
			New: plainly(func(r fleet.Ref) DestroyDomain { return DestroyDomain{r.Source, r.Name} }),
		}),
		offer[ResumeDomain](Offer{
			Key: "u", Title: "resume a paused one", Kind: kind,
			New: plainly(func(r fleet.Ref) ResumeDomain { return ResumeDomain{r.Source, r.Name} }),
		}),
		offer[LimitDomain](Offer{Key: "l", Title: "limit a disk inside qemu", Kind: kind, Params: limitParams(), New: newDomainLimit, Mend: mendDomainLimit}),
		offer[CheckDisk](Offer{
			Key: "c", Title: "check a disk image", Kind: kind,
			Params: []Param{{Name: "file", Help: "the file of the disk", Suggest: diskFiles}},
			New: func(r fleet.Ref, args Args) (Action, error) {
				return CheckDisk{r.Source, r.Name, args["file"]}, nil
			},
		}),
		offer[RepairDisk](Offer{
			Key: "R", Title: "repair a disk image, after a copy", Kind: kind,
			Params: []Param{{Name: "file", Help: "the file of the disk", Suggest: diskFiles}},
			New: func(r fleet.Ref, args Args) (Action, error) {
				return RepairDisk{r.Source, r.Name, args["file"], time.Now().UTC().Format("20060102T150405Z")}, nil
			},
		}),
	}
}
