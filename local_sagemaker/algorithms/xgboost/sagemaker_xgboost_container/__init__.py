"""What users' scripts import of the XGBoost image: `data_utils`, `encoder` and `distributed`."""
