package consent

import "strings"

// european are the countries where the GDPR holds by their codes of ISO 3166-1 alpha-3: the
// European Union with the territories that have a code of their own (Åland, French Guiana,
// Guadeloupe, Martinique, Mayotte, Réunion, Saint Martin), Iceland, Liechtenstein and Norway of the
// EEA, and the United Kingdom with Gibraltar, whose laws have the same rules.
const european = "AUT BEL BGR CYP CZE DEU DNK ESP EST FIN FRA GRC HRV HUN IRL ITA LTU LUX LVA MLT NLD POL PRT ROU SVK SVN SWE " +
	"ALA GUF GLP MTQ MYT REU MAF ISL LIE NOR GBR GIB "

// European says whether the GDPR or its British twin holds in a country, by its alpha-3 code.
func European(country string) bool {
	return len(country) == 3 && strings.Contains(european, country+" ")
}
