"""collect-uk-cities-50: panoramas of the United Kingdom's 50 largest places, suburbs merged."""

from flows.collecting import cities_flow

collect_uk_cities_50 = cities_flow("collect-uk-cities-50", "uk", default_top=50, default_per_place=22)
