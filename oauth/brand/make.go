package brand

import (
	"encoding/json"
	"net/url"
	"strings"
)

// Simple is one brand with one portal and one endpoint, in the words of who runs
// it.
type Simple struct {
	Name string
	// Website is the public site, an https URL.
	Website    string
	Aliases    []string
	Categories []string
	// Logo and LogoLicense are https URLs, or empty.
	Logo, LogoLicense string
	// PortalName, PortalURL and PortalDescription tell of the place where people
	// sign in; all may be empty.
	PortalName, PortalURL, PortalDescription string
	// Base is the FHIR base URL, Developers the site where apps are registered.
	Base, Developers string
	// PostalCodes are where people find the brand.
	PostalCodes []string
}

// Make gives the bundle of one brand, to be published as it is or to be edited
// first.
func Make(s Simple) ([]byte, error) {
	endpoint := resource{"reference": "Endpoint/fhir-r4"}
	portal := []any{resource{"url": "portalEndpoint", "valueReference": endpoint}}
	add := func(list []any, url, kind, value string) []any {
		if value == "" {
			return list
		}
		return append(list, resource{"url": url, kind: value})
	}
	portal = add(portal, "portalName", "valueString", s.PortalName)
	portal = add(portal, "portalDescription", "valueMarkdown", s.PortalDescription)
	portal = add(portal, "portalUrl", "valueUrl", s.PortalURL)
	brand := add(add(nil, "brandLogo", "valueUrl", s.Logo), "brandLogoLicense", "valueUrl", s.LogoLicense)
	extensions := []any{resource{"url": extPortal, "extension": portal}}
	if len(brand) > 0 {
		extensions = append([]any{resource{"url": extBrand, "extension": brand}}, extensions...)
	}
	organization := resource{
		"resourceType": "Organization", "id": "brand", "active": true, "name": s.Name, "extension": extensions,
		"identifier": []any{resource{"system": systemURL, "value": site(s.Website)}},
		"telecom":    []any{resource{"system": "url", "value": s.Website}},
		"endpoint":   []any{endpoint},
	}
	several := func(name string, values []string, one func(string) any) {
		var list []any
		for _, v := range values {
			list = append(list, one(v))
		}
		if len(list) > 0 {
			organization[name] = list
		}
	}
	several("alias", s.Aliases, func(v string) any { return v })
	several("type", s.Categories, func(v string) any {
		return resource{"coding": []any{resource{"system": systemCategory, "code": v}}}
	})
	several("address", s.PostalCodes, func(v string) any { return resource{"postalCode": v} })
	return json.MarshalIndent(resource{
		"resourceType": "Bundle", "type": "collection",
		"entry": []any{
			resource{"fullUrl": s.Base + "/Organization/brand", "resource": organization},
			resource{"fullUrl": s.Base + "/Endpoint/fhir-r4", "resource": madeEndpoint(s)},
		},
	}, "", "  ")
}

func madeEndpoint(s Simple) resource {
	return resource{
		"resourceType": "Endpoint", "id": "fhir-r4", "status": "active", "name": "FHIR R4 endpoint of " + s.Name, "address": s.Base,
		"connectionType": resource{"system": systemConnect, "code": "hl7-fhir-rest"},
		"extension":      []any{resource{"url": extFHIRVersion, "valueCode": "4.0.1"}},
		"contact":        []any{resource{"system": "url", "value": s.Developers}},
		"payloadType": []any{resource{"coding": []any{resource{
			"system": "http://terminology.hl7.org/CodeSystem/endpoint-payload-type", "code": "none",
		}}}},
	}
}

// site gives the URL of a site by which apps match brands: https, without www.
// and path (BRD-06).
func site(website string) string {
	u, err := url.Parse(website)
	if err != nil || u.Host == "" {
		return website
	}
	return "https://" + strings.TrimPrefix(u.Host, "www.")
}
