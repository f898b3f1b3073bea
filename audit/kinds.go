package audit

// Kinds lists every kind of event.
func Kinds() []Kind {
	return []Kind{
		LoginSucceeded, LoginFailed, StepUpSucceeded, StepUpFailed, LoggedOut, AuthorizeRequested, AuthorizeRefused,
		DecisionPermit, DecisionDeny, LaunchRegistered, LaunchUsed, LaunchRefused, GrantCreated, GrantRevoked,
		TokenIssued, TokenRefused, TokenRevoked, TokenIntrospected, TokenReplayed, ConsentFiled, ConsentWithdrawn,
		RelatedPersonSaved, ClientRegistered, ClientChanged, PersonSaved, FHIRRead, FHIRSearch, FHIRWrite,
		FHIRRefused, FHIROperation, AuditRead, AuditErased, AuditHeld, AuditReleased, AuditExported, AuditAlert,
		KeyChanged, ConfigurationLoaded,
	}
}
