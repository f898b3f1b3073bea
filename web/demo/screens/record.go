package screens

import "github.com/mandate-health/mandate/web/pages"

func recordEntries(s State) []pages.RecordEntry {
	if s == Empty {
		return nil
	}
	return []pages.RecordEntry{
		{Item: "MedicationRequest/1", Kind: pages.KindRef{Type: "MedicationRequest"}, Title: "Morphine 10 mg tablet", Detail: "1 tablet in the morning and at night", Date: ago(3)},
		{Item: "MedicationRequest/2", Kind: pages.KindRef{Type: "MedicationRequest"}, Date: ago(40), Kept: true},
	}
}

// recordScreens are "My record" and the copies of it.
func recordScreens() []Screen {
	return []Screen{
		{"record", groupPatient, func(s State) pages.Page {
			p := pages.Record{Frame: in(s, names(s).Patient, general())}
			for _, k := range []string{"medicines", "results", "notes"} {
				p.Kinds = append(p.Kinds, pages.CaseAct{Key: k, URL: "/record/" + k})
			}
			return p
		}},
		{"record-kind", groupPatient, func(s State) pages.Page {
			p := pages.RecordKind{Frame: in(s, names(s).Patient, general()), Kind: "medicines", Entries: recordEntries(s), CopyURL: "/record/medicines/copy"}
			if s == Long {
				p.OlderURL, p.PrivateURL = "/record/medicines?before=2026-11-19", "/record/medicines?private=1"
			}
			return p
		}},
		{"record-copy", groupPatient, func(s State) pages.Page {
			p := pages.RecordCopy{Frame: in(s, names(s).Patient, general()), Kind: "medicines", Patient: names(s).Patient}
			p.BackURL = "/record/medicines"
			if s == Long {
				p.Kinds = []string{"medicines", "results"}
			}
			return p
		}},
		{"record-copied", groupPatient, func(s State) pages.Page {
			n := names(s)
			return pages.RecordCopied{
				Frame: in(s, n.Proxy, general()), Kind: "medicines", Patient: n.Patient, For: n.Proxy,
				Mark: "0f3a-77c1-94d2-0b5e-6a11-c3d8-2f40-9be7", Made: ago(0), Entries: recordEntries(s),
			}
		}},
	}
}
