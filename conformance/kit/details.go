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
