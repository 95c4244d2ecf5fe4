int single_further = 5;
