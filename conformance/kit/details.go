package kit

// DetailsClient gives an app whose token answers carry authorization_details.
func (t *Target) DetailsClient() Client {
	for _, c := range t.Clients {
		if len(c.Details) > 0 && len(c.RedirectURIs) > 0 {
			return c
		}
	}
	return Client{}
}

// GroupedClient gives a backend service that is bound to the members of a Group.
func (t *Target) GroupedClient() Client {
	for _, c := range t.Clients {
		if c.PatientGroup != "" && c.Kind == "backend" && len(c.PrivateJWKS) > 0 {
			return c
		}
	}
	return Client{}
}
