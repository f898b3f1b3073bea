package testldap

import (
	"strings"

	ber "github.com/go-asn1-ber/asn1-ber"
	ldapv3 "github.com/go-ldap/ldap/v3"
)

// matches reports whether a filter finds the entry; one that cannot be read finds
// nobody.
func (p Person) matches(filter string) bool {
	f, err := ldapv3.CompileFilter(filter)
	return err == nil && p.fits(f)
}

func (p Person) attribute(name string) string {
	switch strings.ToLower(name) {
	case "uid":
		return p.UID
	case "objectclass":
		return "inetOrgPerson"
	case "entryuuid":
		return p.EntryUUID
	}
	return ""
}

func (p Person) fits(f *ber.Packet) bool {
	switch f.Tag {
	case ldapv3.FilterAnd:
		for _, c := range f.Children {
			if !p.fits(c) {
				return false
			}
		}
		return true
	case ldapv3.FilterOr:
		for _, c := range f.Children {
			if p.fits(c) {
				return true
			}
		}
		return false
	case ldapv3.FilterNot:
		return !p.fits(f.Children[0])
	case ldapv3.FilterEqualityMatch:
		return strings.EqualFold(p.attribute(f.Children[0].Data.String()), f.Children[1].Data.String())
	case ldapv3.FilterPresent:
		return p.attribute(f.Data.String()) != ""
	case ldapv3.FilterSubstrings:
		// Enough to be fooled by.
		have := strings.ToLower(p.attribute(f.Children[0].Data.String()))
		for _, part := range f.Children[1].Children {
			if !strings.Contains(have, strings.ToLower(part.Data.String())) {
				return false
			}
		}
		return true
	}
	return false
}
