DROP TABLE brand_bundle;
