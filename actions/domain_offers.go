package actions

// domainOffers are the actions on libvirt domains.
func domainOffers() []Offer { return nil }
