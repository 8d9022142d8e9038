"""What must hold inside one record, one topic a file. Pure; `predictor.records.rules.record` puts them together."""
