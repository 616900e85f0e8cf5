package actions

// swapOffers are the actions on swap areas and how hosts swap.
func swapOffers() []Offer { return nil }
