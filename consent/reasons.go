package consent

// Machine reasons of a decision (EV-15). A permit's reason is the logical id
// of the Consent that gave it. People outside the operator never see them:
// a proxy gets one neutral sentence whatever the reason (SC-10).
const (
	// ReasonNoGrant: no Consent covers person, function and data.
	ReasonNoGrant = "NO_GRANT"
	// ReasonUnclassified: the data carries no sensitivity label (LB-01).
	ReasonUnclassified = "UNCLASSIFIED"
	// ReasonNoPat: a clinician must talk to the patient first (FX-21).
	ReasonNoPat = "NOPAT"
	// ReasonSafetyHold: a coercion or misuse report is open (LC-12).
	ReasonSafetyHold = "SAFETY_HOLD"
	// ReasonProhibited is followed by the id of the Consent that denies.
	ReasonProhibited = "PROHIBITED:"
	// ReasonOtherPatient: policy and question are about different patients.
	ReasonOtherPatient = "PATIENT_MISMATCH"
	// ReasonPsychotherapy: a grant would cover it, but psychotherapy notes
	// are never released through the portal (LB-05).
	ReasonPsychotherapy = "PSYCHOTHERAPY_NOTES"
	// ReasonPart2: a grant would cover it, but it lacks an element of a
	// 42 CFR 2.31 consent (FX-19).
	ReasonPart2 = "PART2_INCOMPLETE"
	// ReasonSelf: patients see their own record.
	ReasonSelf = "SELF"
	// ReasonBase: the base policy of a clinical or system capacity applies;
	// role rules are the caller's.
	ReasonBase = "BASE_POLICY"
)

// Obligations that come with a decision (EV-13).
const (
	// ObligationWatermark: what is shown or exported carries a watermark.
	ObligationWatermark = "watermark"
	// ObligationNoDownload: no copy, print, save or forward (INFAO, CN-05).
	ObligationNoDownload = "no-download"
	// ObligationPart2Notice: attach the 42 CFR 2.32 notice and the consent.
	ObligationPart2Notice = "part2-notice"
	// ObligationLegalReview: open a legal-review case, since this denial
	// meets a personal representative (EV-12).
	ObligationLegalReview = "legal-review"
)
