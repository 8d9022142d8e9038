"""What must hold inside one record, one topic a file. Pure; `predictor.records.faults` puts them together."""
