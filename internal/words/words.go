package words

// Args are the values for a message's placeholders: "{name}" is replaced by
// Args["name"]. "count" also chooses the plural form.
type Args map[string]any
