package event

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Values of the header "schema" of records: the name of a JSON Schema in docs/schemas and its
// version.
const (
	SchemaEvent      = "event/1"
	SchemaPrediction = "prediction/1"
	SchemaExample    = "example/1"
	SchemaEvaluation = "evaluation/1"
	SchemaDeadLetter = "deadletter/1"
	SchemaItem       = "item/1"
	SchemaBid        = "bid/1"
	SchemaCampaign   = "campaign/1"
	SchemaModel      = "model/1" // binary: made and read by package model
)

// Values of the header "content-type".
const (
	ContentTypeJSON   = "application/json"
	ContentTypeBinary = "application/octet-stream"
)

// Names of the headers that every record carries.
const (
	HeaderContentType = "content-type"
	HeaderSchema      = "schema"
	HeaderProducer    = "producer" // the stage that wrote it
)

// ModelVersion names the weights of a network (by its NetworkKey) after a number of examples, such
// as "click@184203".
func ModelVersion(key string, examples int64) string {
	return key + "@" + strconv.FormatInt(examples, 10)
}

// ParseModelVersion returns the parts of a ModelVersion.
func ParseModelVersion(version string) (key string, examples int64, err error) {
	at := strings.LastIndexByte(version, '@')
	if at < 1 {
		return "", 0, fmt.Errorf("cannot read model version %q: expected OBJECTIVE@EXAMPLES, such as click@184203", version)
	}
	examples, err = strconv.ParseInt(version[at+1:], 10, 64)
	if err == nil && examples < 0 {
		err = errors.New("it is negative")
	}
	if err != nil {
		return "", 0, fmt.Errorf("cannot read model version %q: the number of examples: %w", version, err)
	}
	return version[:at], examples, nil
}
