package actions

// kubeOffers are the actions on what Kubernetes runs.
func kubeOffers() []Offer { return nil }
