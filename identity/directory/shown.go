package directory

// Shown gives a resource with the attributes that are wanted, or without those that
// are not; some are always there (RFC 7644 §3.9). A name that is not known is ignored.
func Shown(s *Schema, v any, wanted, unwanted []string) (map[string]any, error) {
	have, err := fields(v)
	if err != nil {
		return nil, err
	}
	always := map[string]bool{"schemas": true}
	for _, a := range s.Attributes {
		always[a.Name] = a.Returned == "always" || always[a.Name]
	}
	out := map[string]any{}
	for name, value := range have {
		if len(wanted) == 0 || always[name] {
			out[name] = value
		}
	}
	for _, name := range wanted {
		if p, err := resolve(s, nil, name); err == nil && p.kept() && have[p.attr.Name] != nil {
			p.copy(out, have)
		}
	}
	for _, name := range unwanted {
		p, err := resolve(s, nil, name)
		switch {
		case err != nil || !p.kept() || always[p.attr.Name]:
		case p.sub == nil:
			delete(out, p.attr.Name)
		default:
			for _, one := range values(out[p.attr.Name]) {
				if part, ok := one.(map[string]any); ok {
					delete(part, p.sub.Name)
				}
			}
		}
	}
	return out, nil
}

// copy takes the attribute of the path over, or its one part.
func (p Path) copy(out, have map[string]any) {
	name := p.attr.Name
	if p.sub == nil {
		out[name] = have[name]
		return
	}
	var parts []any
	for _, one := range values(have[name]) {
		part, _ := one.(map[string]any)
		if v := part[p.sub.Name]; v != nil {
			parts = append(parts, map[string]any{p.sub.Name: v})
		}
	}
	switch {
	case out[name] != nil:
		out[name] = have[name]
	case len(parts) == 0:
	case p.attr.Multi:
		out[name] = parts
	default:
		out[name] = parts[0]
	}
}
